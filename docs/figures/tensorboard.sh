#!/usr/bin/env bash
# Draws the screenshots of docs/training.md: two short trainings on the data of the quickstart, then
# TensorBoard in a browser without a window. Three minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu
command -v chromium >/dev/null || panna_missing "the browser chromium" chromium

here=$PWD
work=$(mktemp -d)
board=
trap 'if [ -n "$board" ]; then kill "$board"; fi; rm -rf "$work"' EXIT
python -m pip install --quiet --disable-pip-version-check --target "$work/site" playwright
cp -r ../../examples/quickstart/{data,gvect.ini,tfr.ini,train.ini} "$work"
cd "$work"
mkdir results
panna_exyz_parser -i data/Si_train.xyz.xz -o results/examples/train
panna_exyz_parser -i data/Si_test.xyz.xz -o results/examples/test
panna_gvect_calculator --config gvect.ini
panna_tfr_packer --config tfr.ini
for rate in 0.01 0.003; do
    sed -e "s|^train_dir = .*|train_dir = trainings/rate_$rate|" -e "s|^learning_rate = .*|learning_rate = $rate|" \
        -e "s|^max_epochs = .*|max_epochs = 80|" train.ini >"rate_$rate.ini"
    panna_train --config "rate_$rate.ini"
done

tensorboard --logdir trainings --host 127.0.0.1 --port "${PORT:-6117}" 2>tensorboard.log &
board=$!
PYTHONPATH="$work/site${PYTHONPATH:+:$PYTHONPATH}" python "$here/tensorboard.py" \
    "http://127.0.0.1:${PORT:-6117}" "$here"

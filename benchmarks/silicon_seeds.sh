#!/usr/bin/env bash
# Errors of the quickstart potential on its test set for several seeds of training:
#     bash benchmarks/silicon_seeds.sh [SEEDS]        default: 1 2 3 4 5; two minutes for each
# KEYS: lines for [TRAINING_PARAMETERS], as KEYS="derivatives = stored".
# Needs the results of examples/quickstart/run.sh.
set -euo pipefail
cd "$(dirname "$0")/../examples/quickstart"
. ../../tests/environment.sh
panna_environment cpu
[ -d results/tfr ] || { echo "run examples/quickstart/run.sh first" >&2; exit 2; }
# A folder for each choice of keys: a training that is finished would not be made again.
all=results/seeds/$(printf %s "${KEYS:-default}" | tr -c 'A-Za-z0-9._-' _)
for seed in ${*:-1 2 3 4 5}; do
    folder=$all/$seed
    mkdir -p "$folder"
    sed "s|^train_dir.*|train_dir = $folder/train|; s|^seed.*|seed = $seed\n${KEYS:-}|" train.ini >"$folder/train.ini"
    sed "s|^train_dir.*|train_dir = $folder/train|; s|^eval_dir.*|eval_dir = $folder/test|" evaluate.ini >"$folder/evaluate.ini"
    panna_train --config "$folder/train.ini" >"$folder/train.log"
    panna_evaluate --config "$folder/evaluate.ini" >"$folder/evaluate.log"
    echo "seed $seed done"
done
python - "$all" ${*:-1 2 3 4 5} <<'PYTHON'
import json
import sys

import numpy as np

rows = []
for seed in sys.argv[2:]:
    with open(f"{sys.argv[1]}/{seed}/test/summary.json") as file:
        network = json.load(file)["networks"][0]
    rows.append((network["energy"]["mae_meV_per_atom"], network["forces"]["mae_eV_per_angstrom"]))
    print(f"seed {seed}: MAE {rows[-1][0]:.2f} meV/atom, {rows[-1][1]:.4f} eV/angstrom")
mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1) if len(rows) > 1 else (0, 0)
print(f"mean {mean[0]:.2f} +- {spread[0]:.2f} meV/atom, {mean[1]:.4f} +- {spread[1]:.4f} eV/angstrom")
PYTHON

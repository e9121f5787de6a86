#!/usr/bin/env bash
# All speed benchmarks, 50 minutes on a quiet machine; the results go to benchmarks/results.md and
# training.md:
#     bash benchmarks/run.sh
# dscribe, a peer, is installed into the project's environment; torchani and PyTorch are compared
# where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/environment.sh
panna_environment cpu,lammps
pip install --quiet dscribe || echo "dscribe: not installed"

# page FILE TITLE SCRIPT...: the output of the scripts
page() {
    local file=$1 title=$2 script
    shift 2
    {
        echo "# $title"
        echo
        echo 'Written by `bash benchmarks/run.sh`. Times are CPU times of one thread unless said otherwise.'
        for script; do
            echo
            echo "## $script"
            echo
            echo '```'
            python "benchmarks/$script"
            echo '```'
        done
    } >"benchmarks/$file.new"
    mv "benchmarks/$file.new" "benchmarks/$file"
    cat "benchmarks/$file"
}

page results.md "Speed" descriptors.py roofline.py scaling.py lammps_md.py streaming.py parsing.py
page training.md "Speed of training" training.py

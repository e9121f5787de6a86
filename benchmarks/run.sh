#!/usr/bin/env bash
# All speed benchmarks, 40 minutes on a quiet machine; the results go to benchmarks/results.md:
#     bash benchmarks/run.sh
# dscribe, a peer, is installed into the project's environment; torchani (with PyTorch) is compared
# where it is installed.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/environment.sh
panna_environment cpu,lammps
pip install --quiet dscribe || echo "dscribe: not installed"
{
    echo "# Speed"
    echo
    echo 'Written by `bash benchmarks/run.sh`. Times are CPU times of one thread unless said otherwise.'
    for script in descriptors.py roofline.py scaling.py lammps_md.py streaming.py; do
        echo
        echo "## $script"
        echo
        echo '```'
        python "benchmarks/$script"
        echo '```'
    done
} >benchmarks/results.md.new
mv benchmarks/results.md.new benchmarks/results.md
cat benchmarks/results.md

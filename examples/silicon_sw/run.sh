#!/usr/bin/env bash
# The silicon of the CPC paper, section 5.2: data from LAMMPS, potentials, and what they are worth.
#     bash examples/silicon_sw/run.sh [paper|ours|larger]...     ours alone: half an hour on two cores
# Everything is written to examples/silicon_sw/results; a second call continues what is there.
# RUNS=40 bash run.sh: fewer simulations (15 frames each); RUNS=667 is the size of the paper.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu,lammps,validate

mkdir -p results
if [ ! -e results/test.xyz ]; then
    step "Simulations with Stillinger-Weber"
    OMP_NUM_THREADS=1 python generate.py results --runs "${RUNS:-134}"
fi
step "Frames: extended XYZ to PANNA examples"
for set in train test; do panna_exyz_parser -i results/$set.xyz -o results/examples/$set; done

for network in ${*:-ours}; do
    [ -e "$network/train.ini" ] || { echo "network = $network found, one of paper, ours, larger expected" >&2; exit 2; }
    mkdir -p "results/$network"
    cp "$network"/*.ini ./*.ini "results/$network/"
    (
        cd "results/$network"
        step "$network: descriptors"
        panna_gvect_calculator --config gvect.ini
        step "$network: packing, with a twentieth of the frames for validation"
        panna_tfr_packer --config tfr.ini
        if [ -e first.ini ]; then
            step "$network: first training"
            panna_train --config first.ini
            panna_extract_weights --config extract_first.ini
        fi
        step "$network: training"
        panna_train --config train.ini
        step "$network: errors on the test set, simulations that training has not seen"
        panna_evaluate --config evaluate.ini
        step "$network: the potential for LAMMPS"
        panna_extract_weights --config extract.ini
        step "$network: report"
        panna_validate --config validate.ini
    )
done
python table.py
python figures.py

#!/usr/bin/env bash
# From DFT frames of silicon to a potential that runs in LAMMPS, in some minutes on two cores.
# Everything is written to examples/quickstart/results; a second call continues what is there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu,lammps,validate

mkdir -p results
step "1. Frames: extended XYZ to PANNA examples"
panna_exyz_parser -i data/Si_train.xyz.xz -o results/examples/train
panna_exyz_parser -i data/Si_test.xyz.xz -o results/examples/test

step "2. Descriptors"
panna_gvect_calculator --config gvect.ini

step "3. Packing, with a tenth of the frames for validation"
panna_tfr_packer --config tfr.ini

step "4. Training"
panna_train --config train.ini

step "5. Errors on the test set"
panna_evaluate --config evaluate.ini

step "6. The potential for LAMMPS"
panna_extract_weights --config extract.ini

step "7. Molecular dynamics: 1000 atoms, 10 ps without a thermostat, 2 processes"
OMP_NUM_THREADS=1 mpiexec -n 2 lmp -in in.nve -var potential results/potential -var out results/nve.dat -log results/nve.log

step "8. Summary"
python report.py

step "9. Report: can it be trusted?"
panna_validate --config validate.ini

#!/usr/bin/env bash
# The silicon of the CPC paper, section 5.2: data from LAMMPS, a potential of 48:32:16:1, its errors.
# Half an hour on two cores. Everything is written to examples/silicon_sw/results; a second call
# continues what is there. RUNS=40 bash run.sh: fewer simulations (15 frames each).
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu,lammps

mkdir -p results
if [ ! -e results/test.xyz ]; then
    step "1. Simulations with Stillinger-Weber"
    OMP_NUM_THREADS=1 python generate.py results --runs "${RUNS:-134}"
fi
step "2. Frames: extended XYZ to PANNA examples"
for set in train test; do panna_exyz_parser -i results/$set.xyz -o results/examples/$set; done

step "3. Descriptors"
panna_gvect_calculator --config gvect.ini

step "4. Packing, with a twentieth of the frames for validation"
panna_tfr_packer --config tfr.ini

step "5. Training"
panna_train --config train.ini

step "6. Errors on the test set, simulations that training has not seen"
panna_evaluate --config evaluate.ini
echo
echo "CPC 256, 107402 (2020), table 3: 48:32:16:1, 8000 frames: 2.7 meV/atom, 0.134 eV/angstrom (RMSE)"

step "7. The potential for LAMMPS"
panna_extract_weights --config extract.ini

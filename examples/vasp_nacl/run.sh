#!/usr/bin/env bash
# From the output files of VASP to a potential, in a minute or two: nothing is chosen by hand.
# Everything is written to examples/vasp_nacl/results; a second call continues what is there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu,tools

mkdir -p results/vasp
cd results
[ -d vasp/vasprun_xmls ] || tar xJf ../data/vasprun_xmls.tar.xz -C vasp

step "1. The output of VASP to PANNA examples"
panna_vasp_parser -i vasp -o examples

step "2. Are the data sound? results/data.html"
panna_data_doctor -i examples -o data.html

step "3. A descriptor for these distances and angles, results/resolution.png"
panna_gvect_suggest -i examples -o gvect.ini --plot resolution.png

step "4. Descriptors"
panna_gvect_calculator --config gvect.ini

step "5. Packing: a tenth of the frames for validation, a fifth for the test"
panna_tfr_packer --config ../tfr.ini

step "6. Training, with the recommended settings"
panna_train --config ../train.ini
panna_plot_training -i train -o training.png

step "7. Errors on the test set"
panna_evaluate --config ../evaluate.ini

step "8. The potential for LAMMPS and ASE"
panna_extract_weights --config ../extract.ini

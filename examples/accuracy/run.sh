#!/usr/bin/env bash
# Trains on published data and tests on the published test sets:
#     bash examples/accuracy/run.sh [SET...]     SET: Si Ge Mo ethanol (the default), Ni alloy water
# The data of Ni, alloy and water are not part of this repository: DATA names the folder with
# zuo2020/Ni_{train,test}.xyz.xz, monbtaw/{train,test}.xyz.xz and water_deepmd/water.xyz.xz.
# Everything is written to examples/accuracy/results/SET; a second call continues what is there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu

step() { printf '\n=== %s: %s\n' "$set" "$*"; }

for set in ${*:-Si Ge Mo ethanol}; do
    data=${DATA:-/missing}
    recipe=elements cutoff=""
    case $set in
        Si) cutoff=5.2 data=../quickstart/data ;;
        Ge) cutoff=5.4 data=data ;;
        Mo) cutoff=5.2 data=data ;;
        Ni) cutoff=4.6 data+=/zuo2020 ;;
        ethanol) recipe=ethanol data=../learning_curve/data ;;
        alloy) recipe=alloy data+=/monbtaw ;;
        water) recipe=water data+=/water_deepmd ;;
        *) echo "SET = $set found, one of Si Ge Mo Ni ethanol alloy water expected" >&2; exit 2 ;;
    esac
    [ -d "$data" ] || { echo "$set: no folder $data; see the README about DATA" >&2; exit 2; }
    folder=results/$set
    mkdir -p "$folder"
    case $set in
        ethanol) train=$data/train.xyz.xz test=$data/test_MD.xyz.xz ;;
        alloy) train=$data/train.xyz.xz test=$data/test.xyz.xz ;;
        water)
            python split.py "$data/water.xyz.xz" group=data_3 "$folder/train.xyz" "$folder/test.xyz"
            train=$folder/train.xyz test=$folder/test.xyz
            ;;
        *) train=$data/${set}_train.xyz.xz test=$data/${set}_test.xyz.xz ;;
    esac

    step "frames"
    panna_exyz_parser -i "$train" -o "$folder/examples/train"
    panna_exyz_parser -i "$test" -o "$folder/examples/test"
    for ini in gvect tfr train evaluate; do
        sed "s/ELEMENT/$set/; s/CUTOFF/$cutoff/" "$recipe/$ini.ini" >"$folder/$ini.ini"
    done
    (
        cd "$folder"
        step "descriptors"
        panna_gvect_calculator --config gvect.ini
        step "packing"
        panna_tfr_packer --config tfr.ini
        step "training"
        panna_train --config train.ini
        step "errors on the test set"
        panna_evaluate --config evaluate.ini
    )
done
python table.py

#!/usr/bin/env bash
# Trains on published data and tests on the published test sets:
#     bash examples/accuracy/run.sh [SET...]     SET: Si Ge Mo ethanol (the default), Ni alloy water silicon_sw
# The data of the last four are not part of this repository: DATA names the folder with
# zuo2020/Ni_{train,test}.xyz.xz, monbtaw/{train,test}.xyz.xz, water_deepmd/water.xyz.xz and
# si_sw/si_sw_2000.npz.
# SEEDS="1 2 3" trains several networks for each set, for the spread of the errors.
# Everything is written to examples/accuracy/results/SET; a second call continues what is there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu

for set in ${*:-Si Ge Mo ethanol}; do
    folder=results/$set recipe=elements cutoff=""
    case $set in
        Si) cutoff=5.2 data=../quickstart/data/Si ;;
        Ge) cutoff=5.4 data=data/Ge ;;
        Mo) cutoff=5.2 data=data/Mo ;;
        Ni) cutoff=4.6 data=${DATA:-}/zuo2020/Ni ;;
        ethanol | alloy | water | silicon_sw) recipe=$set ;;
        *) echo "SET = $set found, one of Si Ge Mo Ni ethanol alloy water silicon_sw expected" >&2; exit 2 ;;
    esac
    case $set in
        ethanol) train=../learning_curve/data/train.xyz.xz test=../learning_curve/data/test_MD.xyz.xz ;;
        alloy) train=${DATA:-}/monbtaw/train.xyz.xz test=${DATA:-}/monbtaw/test.xyz.xz ;;
        water) train=${DATA:-}/water_deepmd/water.xyz.xz test=$train ;;
        silicon_sw) train=${DATA:-}/si_sw/si_sw_2000.npz test=$train ;;
        *) train=${data}_train.xyz.xz test=${data}_test.xyz.xz ;;
    esac
    [ -e "$train" ] || { echo "$set: no file $train; see the README about DATA" >&2; exit 2; }

    mkdir -p "$folder"
    if [ "$test" = "$train" ]; then # one file for both
        case $set in
            water) python split.py "$train" group=data_3 "$folder/train.xyz" "$folder/test.xyz" ;;
            silicon_sw) python arrays.py "$train" "$folder/train.xyz" "$folder/test.xyz" ;;
        esac
        train=$folder/train.xyz test=$folder/test.xyz
    fi
    step "$set: frames"
    panna_exyz_parser -i "$train" -o "$folder/examples/train"
    panna_exyz_parser -i "$test" -o "$folder/examples/test"
    for ini in "$recipe"/{gvect,tfr,train}.ini evaluate.ini; do
        sed "s/ELEMENT/$set/; s/CUTOFF/$cutoff/" "$ini" >"$folder/${ini##*/}"
    done
    (
        cd "$folder"
        step "$set: descriptors"
        panna_gvect_calculator --config gvect.ini
        step "$set: packing"
        panna_tfr_packer --config tfr.ini
        for seed in ${SEEDS:-1}; do
            for ini in train evaluate; do
                sed "s/^seed = .*/seed = $seed/; s/^\(train_dir\|eval_dir\) = .*/&_$seed/" \
                    "$ini.ini" >"${ini}_$seed.ini"
            done
            step "$set: training, seed $seed"
            panna_train --config "train_$seed.ini"
            step "$set: errors on the test set, seed $seed"
            panna_evaluate --config "evaluate_$seed.ini"
        done
    )
done
python table.py

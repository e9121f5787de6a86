#!/usr/bin/env bash
# All examples with the potentials in potential/: a quarter of an hour on two cores.
#     bash examples/lammps/run.sh [nve|npt|minimize|elastic|melt|committee]...
# Everything is written to examples/lammps/results.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu,lammps
mkdir -p results

for name in ${*:-minimize elastic npt nve melt committee}; do
    step "$name"
    case $name in
        nve)
            for style in panna sw; do
                mpiexec -n 2 lmp -in in.nve -log none -var style $style -var temperature 500 \
                    -var out results/nve_${style}_500.dat
                mpiexec -n 2 lmp -in in.nve -log none -var style $style -var temperature 1800 \
                    -var melt yes -var out results/nve_${style}_1800.dat
            done
            python nve.py results
            ;;
        minimize | elastic)
            for style in panna sw; do
                lmp -in in.$name -log none -var style $style >results/${name}_$style.log
                echo "$style: $(grep '^lattice constant\|^vacancy\|^C11' results/${name}_$style.log | paste -sd ';')"
            done
            ;;
        npt | melt | committee) mpiexec -n 2 lmp -in in.$name -log none ;;
        *) echo "example = $name found, one of nve npt minimize elastic melt committee expected" >&2; exit 2 ;;
    esac
done

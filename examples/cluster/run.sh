#!/usr/bin/env bash
# The same training by one process, by two workers with a parameter server, and by two processes in
# step, all on this machine over the loopback interface, in some minutes on two cores. Everything is
# written to examples/cluster/results; a second call continues what is there.
set -euo pipefail
cd "$(dirname "$0")"
. ../../tests/environment.sh
panna_environment cpu

# $1: name of the training; $2: number of processes; the others: flags of panna_train.
together() {
    local name=$1 count=$2 i
    shift 2
    sed "s#^train_dir = .*#train_dir = results/$name#" train.ini >"results/$name.ini"
    for ((i = count - 1; i > 0; i--)); do
        TASK=$i panna_train --config "results/$name.ini" "$@" >"results/${name}_$i.log" 2>&1 &
    done
    TASK=0 panna_train --config "results/$name.ini" "$@"
    wait
}

mkdir -p results
step "1. Frames, descriptors and packing, as in examples/quickstart"
panna_exyz_parser -i ../quickstart/data/Si_train.xyz.xz -o results/examples/train
panna_gvect_calculator --config ../quickstart/gvect.ini
panna_tfr_packer --config ../quickstart/tfr.ini

step "2. One process"
panna_train --config train.ini

step "3. Two workers and a parameter server: three nodes, the first is chief and worker"
together servers 3 --list_of_nodes localhost,localhost,localhost --parameter_servers 1 \
    --task_index_variable TASK --communication_port 22300

step "4. Two processes in step"
together in_step 2 --list_of_nodes localhost,localhost \
    --task_index_variable TASK --communication_port 22310

step "5. Validation errors of the last epoch"
for name in alone servers in_step; do
    python - "$name" <<'PY'
import csv, sys
with open(f"results/{sys.argv[1]}/metrics.csv") as file:
    last = list(csv.DictReader(file))[-1]
energy = 1000 * float(last["validation_energy_rmse_eV_per_atom"])
forces = float(last["validation_force_rmse_eV_per_angstrom"])
print(f"{sys.argv[1]:10} {energy:6.2f} meV/atom  {forces:.4f} eV/angstrom")
PY
done

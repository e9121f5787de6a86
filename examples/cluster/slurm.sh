#!/usr/bin/env bash
# Training on four machines of a cluster that runs SLURM:
#     sbatch slurm.sh
# The last machine keeps the weights; the others train, the first one also leads. For processes in
# step leave out --parameter_servers. The same job again continues the training.
#SBATCH --job-name=panna
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
# The programs get two minutes to write a checkpoint before the time is over.
#SBATCH --signal=TERM@120
#SBATCH --output=panna_%j.log
set -euo pipefail

# Where PANNA is installed, on a file system that all machines share, as are data and train_dir.
. "${PANNA_VENV:-$HOME/panna/.venv}/bin/activate"
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK

nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | paste -sd,)
srun --cpus-per-task="$SLURM_CPUS_PER_TASK" --kill-on-bad-exit=0 panna_train --config "${1:-train.ini}" \
    --list_of_nodes "$nodes" --parameter_servers 1 --task_index_variable SLURM_PROCID

#!/usr/bin/env bash
# Train under SLURM, as long as it takes: two minutes before its time is up the job saves, is queued again, and goes on.
#
#     sbatch --nodes 2 --gpus-per-node 4 --ntasks-per-node 4 scripts/slurm.sh --config configs/librispeech.yaml
#
#SBATCH --job-name=earsight
#SBATCH --time=04:00:00
#SBATCH --cpus-per-task=4
#SBATCH --requeue
#SBATCH --signal=B:TERM@120
set -uo pipefail
cd "${SLURM_SUBMIT_DIR:?sbatch sets it}"
srun python -m earsight train fit "$@" --resume auto --trainer.devices "${SLURM_NTASKS_PER_NODE:-1}" \
    --trainer.num_nodes "$SLURM_JOB_NUM_NODES" --trainer.strategy ddp &
stopped=
trap 'stopped=yes; kill -TERM $!' TERM
wait $!
status=$?
if [ "$stopped" ]; then
    wait $!
    scontrol requeue "$SLURM_JOB_ID"
fi
exit $status

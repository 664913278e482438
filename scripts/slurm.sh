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
export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}  # srun does not ask sbatch for it since SLURM 22.05
srun python -m earsight train fit "$@" --resume auto --trainer.devices "${SLURM_NTASKS_PER_NODE:-1}" \
    --trainer.num_nodes "$SLURM_JOB_NUM_NODES" --trainer.strategy ddp &
stopped=
# To the training alone: srun itself would take it for the end, and kill what does not end soon.
trap 'stopped=yes; scancel --signal=TERM "$SLURM_JOB_ID"' TERM
wait $!
status=$?
if [ "$stopped" ]; then
    wait $!
    status=$?
    # Above 128: the signal ended it, and not its last epoch, nor a fault that would only come again.
    if [ $status -gt 128 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
fi
exit $status

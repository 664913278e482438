#!/usr/bin/env bash
# Train on all devices of one machine, or of several that can reach each other.
#
#     scripts/torchrun.sh --config configs/an4.yaml --run runs/an4            # this machine's GPUs
#     PROCESSES=2 scripts/torchrun.sh --config ... --trainer.accelerator cpu  # two processes on its CPU
#     NODES=4 NODE=0 MASTER=host0:29500 scripts/torchrun.sh --config ...      # on each machine, NODE from 0 to 3
#
# A process that fails ends the job. What was saved is gone on from where the same command is given again.
set -euo pipefail
cd "$(dirname "$0")/.."
NODES=${NODES:-1}
PROCESSES=${PROCESSES:-$(python -c "import torch; print(max(1, torch.cuda.device_count()))")}
rendezvous=(--standalone)
if [ "$NODES" -gt 1 ]; then
    rendezvous=(--nnodes "$NODES" --node_rank "${NODE:?which of the machines, from 0}"
                --rdzv_backend c10d --rdzv_id earsight --rdzv_endpoint "${MASTER:?host:port of machine 0}")
fi
exec python -m torch.distributed.run "${rendezvous[@]}" --nproc_per_node "$PROCESSES" -m -- earsight train fit "$@" --resume auto \
    --trainer.devices "$PROCESSES" --trainer.num_nodes "$NODES" --trainer.strategy ddp

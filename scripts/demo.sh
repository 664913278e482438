#!/usr/bin/env bash
# Install the runtime into .venv (no torch) and transcribe the example clips.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
"$python" -m pip install --quiet .
echo "Transcripts of scripts/examples:"
.venv/bin/earsight transcribe scripts/examples

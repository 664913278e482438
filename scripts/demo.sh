#!/usr/bin/env bash
# Install the runtime into .venv (no torch), transcribe the example clips and classify the example films.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
"$python" -m pip install --quiet .
cd scripts/examples
echo "Transcripts of scripts/examples:"
../../.venv/bin/earsight transcribe *.wav *.flac *.mp3 *.ogg
echo
echo "What is done in its films:"
../../.venv/bin/earsight classify *.mp4

#!/usr/bin/env bash
# Install the runtime into .venv (no torch), transcribe the example clips, read the example films' lips, classify films.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
"$python" -m pip install --quiet -c scripts/constraints.txt .
echo "Transcripts of scripts/examples:"
.venv/bin/earsight transcribe scripts/examples --model en-small  # letters, numbers, commands: what this model is for
echo
echo "What is done in scripts/films:"
.venv/bin/earsight classify scripts/films
echo
echo "What drawn people say in scripts/speakers, one in loud noise, one without sound:"
.venv/bin/earsight transcribe scripts/speakers --model grid-av

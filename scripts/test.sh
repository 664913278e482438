#!/usr/bin/env bash
# Install everything into .venv, in the versions that were tested together, and run all checks. Arguments go to pytest.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
"$python" -m pip install --quiet -c scripts/constraints.txt -e '.[train,serve,live,test]'
"$python" -m ruff check .
.venv/bin/lint-imports
.venv/bin/basedpyright
# A process of tests a core, each with one thread: threads that wait for each other beside busy neighbours take the time.
export OMP_NUM_THREADS=1
"$python" -m pytest -q -n auto --dist loadfile "$@"

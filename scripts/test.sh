#!/usr/bin/env bash
# Install everything into .venv and run all tests. Arguments go to pytest.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
"$python" -m pip install --quiet -e '.[train,test]'
"$python" -m ruff check .
"$python" -m pytest -q "$@"

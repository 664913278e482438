#!/usr/bin/env bash
# Renew scripts/constraints.txt: the newest versions that go together, for Python 3.11 and later. Then run scripts/test.sh,
# which installs them, and commit both or neither.
source "$(dirname "${BASH_SOURCE[0]}")/environment.sh"
"$python" -m pip install --quiet uv
# Raised once the tests have passed with the next release.
printf '%s\n' 'torch==2.14.1' 'torchvision==0.29.1' > .venv/tried.txt
"$python" -m uv pip compile pyproject.toml --extra train --extra serve --extra live --extra ray --extra test \
    --constraint .venv/tried.txt --upgrade --universal --python-version 3.11 --fork-strategy fewest --no-header \
    --no-annotate --quiet --output-file scripts/constraints.txt

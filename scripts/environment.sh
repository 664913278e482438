# Sourced by the scripts: makes .venv with Python 3.11 to 3.13, of which all packages have wheels, and leaves `$python` pointing into it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [ ! -x .venv/bin/python ]; then
  for base in python3 python3.13 python3.12 python3.11; do
    if "$base" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then break; fi
    base=
  done
  [ -n "$base" ] || { echo "error: Python 3.11, 3.12 or 3.13 is needed and was not found on the PATH" >&2; exit 1; }
  "$base" -m venv .venv || {
    rm -rf .venv
    echo "error: $base cannot make a virtual environment (Debian: apt install python3-venv)" >&2
    exit 1
  }
fi
python=.venv/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK=1

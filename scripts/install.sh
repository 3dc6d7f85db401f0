#!/usr/bin/env bash
# Makes .venv and installs one locked set into it: base (default), dev or spark.
# Needs Python >= 3.11; uses uv where it is present and fetches it with pip where it is not.
set -euo pipefail
cd "$(dirname "$0")/.."
set_name="${1:-base}"
python="${PYTHON:-python3}"

if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
  echo "otif needs Python 3.11, 3.12 or 3.13, and '$python' is not one. Name yours: make demo PYTHON=python3.12" >&2
  exit 2
fi
if [ ! -x .venv/bin/python ] && ! "$python" -m venv .venv; then
  echo "could not make .venv; on Debian and Ubuntu: apt-get install python3-venv" >&2
  exit 2
fi
uv="$(command -v uv || true)"
if [ -z "$uv" ]; then
  .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
  uv=.venv/bin/uv
fi
for requirements in build "$set_name"; do
  "$uv" pip install --quiet --python .venv/bin/python --require-hashes -r "requirements/$requirements.txt"
done
"$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
# Whoever plans does not wait for compilers; the tests compile what they need, beside one another.
if [ "$set_name" = base ]; then .venv/bin/python -m optimizer.allocation.kernels.warm; fi

#!/usr/bin/env bash
# Re-locks requirements/*.txt from pyproject.toml. Run after changing dependencies.
# One resolution for all sets: the dev set is locked first and constrains the others.
set -euo pipefail
cd "$(dirname "$0")/.."
uv="${UV:-uv}"
compile() {
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-header --no-annotate "$@"
}
compile pyproject.toml --extra dev -o requirements/dev.txt
compile pyproject.toml -c requirements/dev.txt -o requirements/base.txt
compile pyproject.toml --extra spark -c requirements/dev.txt -o requirements/spark.txt
compile requirements/build.in -c requirements/dev.txt -o requirements/build.txt

#!/usr/bin/env bash
# install-python.sh FOLDER CACHE: brings the wheels of FOLDER/requirements.txt into a virtual environment, node_modules/.cache/CACHE, where they stay until
# requirements.txt changes.
set -euo pipefail
wanted=$1/requirements.txt
environment=$(dirname "$0")/../node_modules/.cache/$2

if ! cmp -s "$wanted" "$environment/requirements.txt"; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$wanted"
  cp "$wanted" "$environment/requirements.txt"
fi

#!/usr/bin/env bash
# Brings the programs that the tests run: into node_modules/.cache, but for kcat, which is a package of Debian's.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v kcat >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends kcat
fi

python=../../node_modules/.cache/kafka-python
if ! cmp -s python/requirements.txt "$python/requirements.txt"; then
  rm -rf "$python"
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r python/requirements.txt
  cp python/requirements.txt "$python/requirements.txt"
fi

jvm/install.sh
classes=../../node_modules/.cache/kafka-jvm/classes
mkdir -p "$classes"
javac -d "$classes" -cp "../../node_modules/.cache/kafka-jvm/jars/*" jvm/*.java

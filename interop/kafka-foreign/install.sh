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

# Its package has librdkafka as source, which is compiled here: some minutes, once. Node's headers come with Node where they can.
rdkafka=../../node_modules/.cache/node-rdkafka
if ! cmp -s node/package.json "$rdkafka/built.json"; then
  rm -rf "$rdkafka"
  mkdir -p "$rdkafka"
  cp node/package.json "$rdkafka/package.json"
  headers=$(node -p 'path.dirname(path.dirname(process.execPath))')
  [ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers
  npm install --prefix "$rdkafka" --no-audit --no-fund --loglevel=error
  cp node/package.json "$rdkafka/built.json"
fi

jvm/install.sh
classes=../../node_modules/.cache/kafka-jvm/classes
mkdir -p "$classes"
javac -d "$classes" -cp "../../node_modules/.cache/kafka-jvm/jars/*" jvm/*.java

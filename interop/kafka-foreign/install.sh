#!/usr/bin/env bash
# Brings the programs that the tests run: into node_modules/.cache, but for kcat, which is a package of Debian's.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v kcat >/dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends kcat
fi

../install-python.sh python kafka-python

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

../install-java.sh jvm kafka-jvm

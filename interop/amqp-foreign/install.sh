#!/usr/bin/env bash
# Brings the programs that the tests run into node_modules/.cache.
set -euo pipefail
cd "$(dirname "$0")"

../install-python.sh python amqp-python
../install-java.sh jvm amqp-jvm

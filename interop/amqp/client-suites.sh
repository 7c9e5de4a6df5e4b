#!/usr/bin/env bash
# Runs the tests that a client has of its own, unmodified, against a broker on the ports where they expect one (5672, 5671, 15672):
#
#     client-suites.sh amqplib CHECKOUT          https://github.com/amqp-node/amqplib, after `npm install --ignore-scripts`
#     client-suites.sh rabbitmq-client CHECKOUT  https://github.com/cody-greene/node-rabbitmq-client, likewise
#     client-suites.sh amqp-client CHECKOUT      https://github.com/cloudamqp/amqp-client.js, likewise
#     client-suites.sh pika CHECKOUT             https://github.com/pika/pika; needs Python 3 with venv
#
# What follows CHECKOUT is for the program that runs the tests. Needs openssl. With WITHOUT_BROKER=1 nobody listens: what passes then says nothing about
# the broker. What the results of the last run mean is in docs/compatibility.md.
set -euo pipefail
suite=$1
checkout=$2
shift 2
repository=$(cd "$(dirname "$0")/../.." && pwd)
case $suite in
amqplib | rabbitmq-client | amqp-client | pika) ;;
*)
  echo "there is no suite $suite" >&2
  exit 2
  ;;
esac
data=$(mktemp -d)
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -days 2 \
  -keyout "$data/key.pem" -out "$data/cert.pem" 2>/dev/null
trap 'rm -rf "$data"' EXIT
if [ -z "${WITHOUT_BROKER:-}" ]; then
  node "$repository/interop/amqp/suite-broker.mjs" "$data" &
  broker=$!
  trap 'kill $broker; wait $broker; rm -rf "$data"' EXIT
  until [ -e "$data/ready.json" ]; do
    kill -0 $broker
    sleep 0.1
  done
fi

cd "$checkout"
case $suite in
amqplib) node --test --test-timeout=5000 "$@" ;;
rabbitmq-client) node -r ts-node/register --test "$@" test/*.ts ;;
amqp-client) AMQPS_URL='amqps://127.0.0.1?insecure=true' npx vitest run "$@" ;;
pika)
  python3 -m venv "$data/python"
  "$data/python/bin/pip" install --quiet --disable-pip-version-check pytest pytest-timeout mock twisted tornado gevent
  PYTHONPATH=. "$data/python/bin/python" -m pytest -p no:cacheprovider tests/acceptance/*_test.py tests/acceptance/*_tests.py "$@"
  ;;
esac

#!/usr/bin/env bash
# Runs the tests that a client has of its own, unmodified, against a broker on port 9092, where they expect one:
#
#     client-suites.sh kafka-go CHECKOUT      https://github.com/segmentio/kafka-go; needs Go
#     client-suites.sh kafkajs CHECKOUT       https://github.com/tulios/kafkajs, after `npm install --ignore-scripts`
#
# What the results of the last run mean is in docs/compatibility.md.
set -euo pipefail
suite=$1
checkout=$2
repository=$(cd "$(dirname "$0")/../.." && pwd)
data=$(mktemp -d)
node "$repository/packages/broker/bin/millrace.js" start --data "$data/journal" --ready-file "$data/ready.json" --log-level warn \
  --listen native=0 --listen http=0 --listen kafka=127.0.0.1:9092 --kafka-advertised localhost:9092 --limits-batch-bytes-max 200MiB &
broker=$!
forward=
trap 'kill $broker $forward; wait $broker; rm -rf "$data"' EXIT
until [ -e "$data/ready.json" ]; do sleep 0.1; done

cd "$checkout"
case $suite in
kafka-go)
  # Tests that are left out: getOffsets in three of them uses a group without a connection and ends the whole run, whatever the broker; one waits for a
  # compaction.
  KAFKA_VERSION=3.7.0 KAFKA_SKIP_NETTEST=1 go test -mod=mod -count=1 -json \
    -skip 'TestReaderConsumerGroup/(verify_offset_committed|consumer_group_commits_on_close)|TestReaderReadCompactedMessage' ./...
  ;;
kafkajs)
  # It knows three brokers, of which ours stands for each.
  node -e '
    const net = require("node:net")
    for (const port of [9095, 9098]) {
      net.createServer((client) => {
        const broker = net.connect(9092, "127.0.0.1")
        client.pipe(broker).pipe(client)
        client.on("error", () => broker.destroy())
        broker.on("error", () => client.destroy())
      }).listen(port, "localhost")
    }' &
  forward=$!
  KAFKA_VERSION=2.4 NODE_ENV=test KAFKAJS_DEBUG_PROTOCOL_BUFFERS=1 node_modules/.bin/jest --ci --maxWorkers=2 --no-watchman --forceExit
  ;;
*)
  echo "there is no suite $suite" >&2
  exit 2
  ;;
esac

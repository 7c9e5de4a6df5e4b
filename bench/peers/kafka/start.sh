#!/usr/bin/env bash
# A broker of Apache Kafka, to compare with: start.sh DIRECTORY PORT CONTROLLER_PORT [SETTING=VALUE...]
#
# Runs in the foreground until it gets SIGTERM; "Kafka Server started" on stdout means that it is ready. With
# log.flush.interval.messages=1 it syncs each batch to the disk before it confirms it, as Millrace does; without, it leaves that to the operating system.
# Needs Java 17 and Maven. MILLRACE_PEER_HEAP is the heap, 1g by default as in Kafka's own start script.
set -euo pipefail
directory=$1
port=$2
controller=$3
shift 3
root=$(cd "$(dirname "$0")/../../.." && pwd)
"$root/interop/install-jars.sh" "$root/interop/kafka-foreign/jvm" kafka-jvm
jars=$root/node_modules/.cache/kafka-jvm/jars
heap=${MILLRACE_PEER_HEAP:-1g}

mkdir -p "$directory"
cat >"$directory/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
log.dirs=$directory/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
printf '%s\n' "$@" >>"$directory/server.properties"

if [ ! -e "$directory/data/meta.properties" ]; then
  java -cp "$jars/*" kafka.tools.StorageTool format --cluster-id MkU3OEVBNTcwNTJENDM2Qg --config "$directory/server.properties"
fi
exec java -Xms"$heap" -Xmx"$heap" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -cp "$jars/*" \
  -Dorg.slf4j.simpleLogger.logFile=System.out kafka.Kafka "$directory/server.properties"

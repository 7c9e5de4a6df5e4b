#!/usr/bin/env bash
# A broker of RabbitMQ, to compare with: start.sh DIRECTORY PORT NODE_PORT
#
# MORE_CONFIGURATION: lines for its rabbitmq.conf.
# Runs in the foreground until it gets SIGTERM; it is ready once PORT takes connections. Needs the Debian package rabbitmq-server; everything it
# writes is below DIRECTORY, and it listens on this machine only.
set -euo pipefail
directory=$1
port=$2
node_port=$3

if ! command -v /usr/lib/rabbitmq/bin/rabbitmq-server >/dev/null; then
  apt-get update -qq
  RUNLEVEL=1 apt-get install -y -qq --no-install-recommends rabbitmq-server
fi
mkdir -p "$directory"
cat >"$directory/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$port
log.console = false
log.file.level = warning
${MORE_CONFIGURATION:-}
CONF
touch "$directory/enabled_plugins"
export HOME=$directory
export RABBITMQ_NODENAME=bench$port@localhost
export RABBITMQ_BASE=$directory RABBITMQ_MNESIA_BASE=$directory/data RABBITMQ_LOG_BASE=$directory/log
export RABBITMQ_CONFIG_FILE=$directory/rabbitmq.conf RABBITMQ_ENABLED_PLUGINS_FILE=$directory/enabled_plugins
export RABBITMQ_PID_FILE=$directory/pid
export RABBITMQ_DIST_PORT=$node_port ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
cd "$directory"
exec /usr/lib/rabbitmq/bin/rabbitmq-server

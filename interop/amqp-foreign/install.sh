#!/usr/bin/env bash
# Brings the programs that the tests run into node_modules/.cache.
set -euo pipefail
cd "$(dirname "$0")"

python=../../node_modules/.cache/amqp-python
if ! cmp -s python/requirements.txt "$python/requirements.txt"; then
  rm -rf "$python"
  python3 -m venv "$python"
  "$python/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r python/requirements.txt
  cp python/requirements.txt "$python/requirements.txt"
fi

java=../../node_modules/.cache/amqp-jvm
if ! cmp -s jvm/pom.xml "$java/pom.xml"; then
  rm -rf "$java/jars"
  mkdir -p "$java"
  mvn -q -B -f jvm/pom.xml -Dmaven.repo.local="$(realpath "$java")/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dmdep.useRepositoryLayout=false -DoutputDirectory="$(realpath "$java")/jars"
  rm -rf "$java/repository"
  cp jvm/pom.xml "$java/pom.xml"
fi
mkdir -p "$java/classes"
javac -d "$java/classes" -cp "$java/jars/*" jvm/*.java

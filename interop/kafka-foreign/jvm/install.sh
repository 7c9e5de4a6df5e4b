#!/usr/bin/env bash
# Brings the jars of pom.xml into node_modules/.cache/kafka-jvm/jars, where they stay until pom.xml changes.
set -euo pipefail
cd "$(dirname "$0")"

cache=../../../node_modules/.cache/kafka-jvm
if ! cmp -s pom.xml "$cache/pom.xml"; then
  rm -rf "$cache/jars"
  mkdir -p "$cache"
  mvn -q -B -Dmaven.repo.local="$(realpath "$cache")/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dmdep.useRepositoryLayout=false -DoutputDirectory="$(realpath "$cache")/jars"
  rm -rf "$cache/repository"
  cp pom.xml "$cache/pom.xml"
fi

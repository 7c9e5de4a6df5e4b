#!/usr/bin/env bash
# install-jars.sh FOLDER CACHE: brings the jars of FOLDER/pom.xml into node_modules/.cache/CACHE/jars, where they stay until pom.xml changes.
set -euo pipefail
pom=$1/pom.xml
cache=$(realpath "$(dirname "$0")/../node_modules")/.cache/$2

if ! cmp -s "$pom" "$cache/pom.xml"; then
  rm -rf "$cache/jars"
  mkdir -p "$cache"
  mvn -q -B -f "$pom" -Dmaven.repo.local="$cache/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -Dmdep.useRepositoryLayout=false -DoutputDirectory="$cache/jars"
  rm -rf "$cache/repository"
  cp "$pom" "$cache/pom.xml"
fi

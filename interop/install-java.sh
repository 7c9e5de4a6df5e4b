#!/usr/bin/env bash
# install-java.sh FOLDER CACHE: brings the jars of FOLDER/pom.xml, and compiles the programs of FOLDER into node_modules/.cache/CACHE/classes.
set -euo pipefail
"$(dirname "$0")/install-jars.sh" "$1" "$2"
cache=$(dirname "$0")/../node_modules/.cache/$2
mkdir -p "$cache/classes"
javac -d "$cache/classes" -cp "$cache/jars/*" "$1"/*.java

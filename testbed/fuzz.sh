#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, one after the
# other: testbed/fuzz.sh 20s
set -euo pipefail
cd "$(dirname "$0")/.."
grep -rn --include='*_test.go' '^func Fuzz' . | sed 's/:[0-9]*:func /:/; s/(.*//' | sort | while IFS=: read -r file target; do
	echo "== $(dirname "$file") $target"
	go test "$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${1:-20s}" -fuzzminimizetime 1x
done

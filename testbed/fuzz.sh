#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, one after the
# other: testbed/fuzz.sh 60s
set -euo pipefail
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
grep -rn --include='*_test.go' '^func Fuzz' . | sed 's/:[0-9]*:func /:/; s/(.*//' | sort | while IFS=: read -r file target; do
	echo "== $(dirname "$file") $target"
	if go test "$(dirname "$file")" -run '^$' -fuzz "^$target\$" -fuzztime "${1:-20s}" -fuzzminimizetime 1x >"$log" 2>&1; then
		tail -n 3 "$log"
	elif grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
		# Go counts its own end of the time as a failure now and then
		# (golang/go#75804); an input that fails is written down.
		tail -n 5 "$log"
		echo "nothing found: only the time was up"
	else
		cat "$log"
		exit 1
	fi
done

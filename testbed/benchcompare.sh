#!/usr/bin/env bash
# Runs the benchmarks of the working tree and of another commit in turn, and compares
# them with benchstat.
#
#	testbed/benchcompare.sh [REF]
#
# REF is the last tag where there is one, else the commit before this one.
# BENCH is a pattern of benchmarks (all), PACKAGES where they are, COUNT how often
# each runs (6, the least from which benchstat tells a difference).
set -euo pipefail
cd "$(dirname "$0")/.."
ref=${1:-$(git describe --tags --abbrev=0 2>/dev/null || echo HEAD~1)}
read -ra packages <<<"${PACKAGES:-./correlate/... ./esindex ./plugin/chunk ./profile}"
mkdir -p build
there=$(mktemp -d build/compare.XXXXXX)
trap 'git worktree remove --force "$there" 2>/dev/null || rm -rf "$there"' EXIT
git worktree add --quiet --detach "$there" "$ref"
out=$PWD/build
: >"$out/bench.old"
: >"$out/bench.new"
bench() { go test -run '^$' -bench "${BENCH:-.}" -benchmem -count 1 "${packages[@]}"; }
# In turn, so that what else the machine does slows both down.
for ((i = 0; i < ${COUNT:-6}; i++)); do
	(cd "$there" && bench) >>"$out/bench.old"
	bench >>"$out/bench.new"
done
echo "old: $ref, new: the working tree"
go tool -modfile=tools/dev/go.mod benchstat old="$out/bench.old" new="$out/bench.new"

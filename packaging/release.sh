#!/bin/sh
# release.sh VERSION EPOCH MAINTAINER: the packages of the last commit, in build/release. They are made twice, from two copies of
# the sources in other folders, the second without anything that the first compiled, and compared byte by byte.
set -eu
root=$(git rev-parse --show-toplevel)
out=$root/build/release
case $1 in *-dirty) echo "release: there are changes that are not committed; commit or stash them" >&2 && exit 1 ;; esac
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
for copy in one another/folder; do
	mkdir -p "$work/$copy"
	git -C "$root" archive HEAD | tar -x -C "$work/$copy"
	[ "$copy" = one ] || export GOCACHE="$work/cache"
	echo "release: making the packages in $work/$copy" >&2
	make -s -C "$work/$copy" package VERSION="$1" SOURCE_DATE_EPOCH="$2" MAINTAINER="$3"
done
if ! diff -r "$work/one/build/package" "$work/another/folder/build/package"; then
	echo "release: two builds of one commit differ" >&2
	exit 1
fi
rm -rf "$out"
mkdir -p "$(dirname "$out")"
cp -r "$work/one/build/package" "$out"
echo "release: the same bytes twice; $out has" >&2
cat "$out/SHA256SUMS"

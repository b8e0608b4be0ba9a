#!/bin/sh
# dpkg calls it with "remove", "purge" or "upgrade", rpm with how many versions are left. Dead letters stay: somebody may
# still want to replay them.
set -e
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
case "$1" in
purge | 0)
	for folder in /var/lib/dossier/dead-letters /var/lib/dossier; do
		[ ! -d "$DPKG_ROOT$folder" ] || rmdir --ignore-fail-on-non-empty "$DPKG_ROOT$folder"
	done
	;;
esac

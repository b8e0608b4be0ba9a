#!/bin/sh
# dpkg calls it with "configure" and the version that was there, rpm with how many versions are now.
set -e
if [ -z "$DPKG_ROOT" ] && [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
case "$1:$2" in
configure: | 1:)
	echo "dossier: next: dossier setup --help, then a configuration of /etc/dossier; /usr/share/doc/dossier/install.md has both on one page"
	;;
configure:* | [2-9]*:)
	echo "dossier: Fluent Bit has the new plugin once it is restarted: systemctl restart fluent-bit"
	;;
esac

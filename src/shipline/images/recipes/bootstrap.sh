#!/bin/sh
# Makes a small Debian and writes its root as a tar stream to standard output.
# usage: bootstrap.sh SUITE AUTHORITIES [MIRROR [SECURITY_MIRROR]]
#   AUTHORITIES is a folder of certificates that the new system shall trust.
set -eu
suite=$1 authorities=$2 mirror=${3:-} security=${4:-}
root=$(mktemp -d)
trap 'umount "$root" 2>/dev/null || :; rm -rf "$root"' EXIT
trap 'exit 1' INT TERM HUP
# In memory where that is allowed: dpkg waits for the disk after every package.
mount -t tmpfs -o size=1g,mode=755 tmpfs "$root" 2>/dev/null || :

# shellcheck disable=SC2086 # an absent mirror is no argument at all: debootstrap knows its own
debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" $mirror >&2

cp "$authorities"/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || :
chroot "$root" update-ca-certificates >&2
if [ -n "$mirror" ]; then echo "deb $mirror $suite-updates main" >>"$root/etc/apt/sources.list"; fi
if [ -n "$security" ]; then echo "deb $security $suite-security main" >>"$root/etc/apt/sources.list"; fi

# No service starts in a container because its package was installed.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
# Documentation stays out, now and with every later package; copyright notices stay in.
cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'SLIM'
force-unsafe-io
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/lintian/*
SLIM
find "$root/usr/share/doc" -type f ! -name copyright -delete
find "$root/usr/share/doc" -type d -empty -delete
rm -rf "$root"/usr/share/man/* "$root"/usr/share/info/* "$root"/usr/share/locale/* "$root"/usr/share/lintian/*
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* "$root"/tmp/*
rm -f "$root/etc/hostname" "$root/etc/resolv.conf"
tar -C "$root" --numeric-owner --one-file-system -c .

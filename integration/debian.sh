#!/bin/sh
# Makes a small Debian root file system and writes it as a tarball: debian.sh TARBALL
#
# How this machine reaches packages (sources, certificates) is copied into it, so that an image
# built on it can install packages wherever this machine can. Needs root.
set -eu
suite=bookworm
tarball=$1
command -v debootstrap >/dev/null || { apt-get update && apt-get install -y debootstrap; }

root=$(mktemp -d "$tarball.XXXXXX")
trap 'rm -rf --one-file-system "$root" "$tarball.part"' EXIT
chmod 755 "$root"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $suite" | head -n 1)
debootstrap --variant=minbase "$suite" "$root" ${mirror:+"$mirror"}
! mountpoint -q "$root/proc" || umount "$root/proc"
! mountpoint -q "$root/sys" || umount "$root/sys"

. /etc/os-release
if [ "${VERSION_CODENAME-}" = "$suite" ]; then
    rm -f "$root/etc/apt/sources.list"
    cp -rL /etc/apt/. "$root/etc/apt/"
    [ ! -d /usr/share/keyrings ] || cp -rL /usr/share/keyrings/. "$root/usr/share/keyrings/"
fi
mkdir -p "$root/etc/ssl/certs" "$root/usr/local/share/ca-certificates"
cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/" || true
cp -rL /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/" || true
[ ! -e /etc/pip.conf ] || cp -L /etc/pip.conf "$root/etc/"

# What no test reads.
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* \
    "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/dev/*
tar --numeric-owner -C "$root" -cf "$tarball.part" .
mv "$tarball.part" "$tarball"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages of tools/packages.txt that are missing, all in one go, and says
# which. Does nothing where all are there; elsewhere than on Debian it only warns.
set -eu
list=$(dirname "$0")/packages.txt

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: not a Debian system; the packages in tools/packages.txt are needed" >&2
    exit 0
fi

missing=
for package in $(sed 's/#.*//' "$list"); do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$status" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

echo "setup: installing$missing"
sudo=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "setup: run as root: apt-get install$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
install="$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends -qq"
# A machine with no package lists yet, or with old ones, needs an update first.
# shellcheck disable=SC2086
$install $missing >/dev/null 2>&1 || { $sudo apt-get update -qq && $install $missing >/dev/null; }

#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh CMAKE BUILD PREFIX - installs BUILD into a fresh PREFIX. The files are installed elsewhere first and then
# moved, so that the tests that follow also show that an installed tree may be moved.
set -eu
cmake=$1 build=$2 prefix=$3
rm -rf "$prefix" "$prefix.first"
"$cmake" --install "$build" --prefix "$prefix.first" >/dev/null
mv "$prefix.first" "$prefix"

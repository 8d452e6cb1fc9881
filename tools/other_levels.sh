#!/bin/sh
# SPDX-License-Identifier: MIT
# other_levels.sh MMARN - prints the values of MMARN_CPU that this processor can do, one a line, but for the one in
# force. MMARN is the command; its info names the features, and a level is named after the last feature that it adds.
set -eu
mmarn=$1
level() {
    "$mmarn" info | sed -n 's/^cpu level: *//p'
}
current=$(level)
if [ -z "$current" ]; then
    echo "other_levels.sh: $mmarn info names no cpu level" >&2
    exit 1
fi
for name in ref $("$mmarn" info | sed -n 's/^cpu features: *//p'); do
    if [ "$name" != "$current" ] && [ "$(MMARN_CPU=$name level)" = "$name" ]; then
        echo "$name"
    fi
done

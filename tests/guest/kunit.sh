#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Loads the driver that has its KUnit tests built in, which runs them, and passes
#: on their results. Needs the module's file as an argument, and no device.

set -euo pipefail

echo "gpio-virtio KUnit" >/dev/kmsg
insmod "$1"
# The results are two levels deep: those of the suite's cases are indented by four.
results=$(dmesg --notime | sed '1,/gpio-virtio KUnit$/d')
echo "KTAP version 1"
sed -n 's/^ \{4\}\(1\.\.[0-9]*\|ok [0-9].*\|not ok [0-9].*\|# .*\)$/\1/p' <<<"$results"
rmmod gpio_virtio
! grep -q '^ *not ok' <<<"$results"

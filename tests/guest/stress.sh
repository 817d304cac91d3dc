#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Eight threads on eight lines and on one, against a device that answers in
#: random order. TEST_REQUESTS is how many requests each thread makes (10000).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8

. "$(dirname -- "$0")/lib.sh"

REQUESTS=${TEST_REQUESTS:-10000}

test_eight_threads_on_eight_lines() {
	ctl 0 "fault out-of-order"
	"$GPIO_HAMMER" --chip "$(chip 0)" --threads 8 --lines 8 --requests "$REQUESTS"
}

test_eight_threads_on_one_line() {
	ctl 0 "fault out-of-order"
	"$GPIO_HAMMER" --chip "$(chip 0)" --threads 8 --shared --requests "$REQUESTS"
}

test_eight_threads_with_a_device_that_keeps_order() {
	ctl 0 "fault none"
	"$GPIO_HAMMER" --chip "$(chip 0)" --threads 8 --lines 8 --requests "$((REQUESTS / 10))"
}

# The driver looks for replies, and asks for no interrupts meanwhile.
test_a_device_that_interrupts_all_the_same() {
	local threads

	ctl 0 "fault loud"
	for threads in 1 2 8; do
		"$GPIO_HAMMER" --chip "$(chip 0)" --threads $threads --lines $threads --requests "$REQUESTS"
	done
	ctl 0 "fault none"
	! dmesg | grep "nobody cared" || fail "the kernel has turned off the device's interrupt"
}

test_nothing_was_lost() {
	expect_eq "$(stat 0 in-flight)" 0 "commands in flight"
	expect_eq "$(stat 0 requests)" "$(stat 0 replies)" "requests and replies"
}

run_tests

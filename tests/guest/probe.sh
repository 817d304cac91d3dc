#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Probe fails at each step that can fail, and leaves nothing behind: the kernel's
#: checkers see what it would. For a kernel with fault injection. With TEST_EVERY=N it is
#: every N-th allocation that fails (1).

# How it is to be booted: scripts/test reads this. The first device has small
# queues: each buffer is an allocation that can fail. The second one has one queue.
#guest: --device rfc,lines=8,label=panel,name0=LED0,vq-size=8
#guest: --device rfc,lines=4,num-vqs=1

. "$(dirname -- "$0")/lib.sh"

test_each_allocation_fails_once() {
	local output every=${TEST_EVERY:-1}
	unbind 0
	output=$("$(dirname -- "$0")/fail-bind.py" "$(virtio_name 0)" "$every")
	echo "$output"
	# As many as our own steps are at the least.
	[ "${output%% *}" -ge $((30 / every)) ] || fail "that was not each of them"
	bind 0
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 3)" 0 "line 3 afterwards"
	expect_match "$(gpioinfo -c "$(chip 0)")" 'LED0' "the names of the lines"
}

test_a_device_with_too_few_queues_is_refused() {
	fails is_bound 1
	log_mark
	fails bind 1
	expect_eq "$(log_since | grep -c "gpio_virtio $(virtio_name 1): cannot")" 1 "messages"
	expect_eq "$(chip 1)" "" "chip"
}

run_tests

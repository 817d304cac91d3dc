#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that sends events without end, as fast as it gets buffers: the guest stays
#: usable, and gets rid of it. TEST_STORM is for how many seconds it goes on (5).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel
#guest: --device rfc,lines=8,label=armed,irq-type

. "$(dirname -- "$0")/lib-irq.sh"

# A guest under emulation is slow, with every checker on most of all, but it is not stuck.
LIMIT_MS=60000

# in_time COMMAND...: it succeeds, and soon.
in_time() {
	timed "$@"
	[ "$status" = 0 ] || fail "$* failed with status $status"
	[ "$elapsed_ms" -le $LIMIT_MS ] || fail "$* took $elapsed_ms ms"
	[ "$elapsed_ms" -le "$slowest_ms" ] || slowest_ms=$elapsed_ms
}

run_something() { ls /proc/self >/dev/null; }
get() { gpioget --numeric -c "$(chip "$1")" "$2" >/dev/null; }

# messages K: how many the kernel's log has about a device since the mark.
messages() { log_since | grep -c "gpio_virtio $(virtio_name "$1")" || true; }

# weather_the_storm K WHAT: one after the other, in the middle of it.
weather_the_storm() {
	local k=$1 what=$2 other=$((1 - $1)) start events before lines allowed slowest_ms=0

	clean_slate
	consumer request "$k" 0 both hard
	consumer request "$k" 1 both threaded
	consumer request "$other" 0 both hard
	ctl "$k" reset-stats
	log_mark
	start=$SECONDS
	ctl "$k" "fault storm $what"
	while [ $((SECONDS - start)) -lt "${TEST_STORM:-5}" ]; do
		in_time run_something
		in_time get "$other" 3
		in_time get "$k" 3
		in_time gpioset -t0 -c "$(chip "$k")" 4=1
	done
	events=$(stat "$k" storm-events)
	echo "$what: $events events, $(calls "$k" 0 hard) hard calls and $(calls "$k" 1 thread) of a thread;" \
		"no command took longer than $slowest_ms ms"
	[ "$events" -ge 100 ] || fail "that was no storm"

	# What is malformed is nobody's edge, the rest is.
	if [ "$what" = invalid ]; then
		expect_eq "$(calls "$k" 0 hard)" 0 "hard calls for malformed events"
		expect_eq "$(calls "$k" 1 thread)" 0 "calls of a thread for malformed events"
	else
		[ "$(calls "$k" 0 hard)" -ge 10 ] || fail "no edges came through"
		[ "$(calls "$k" 1 thread)" -ge 1 ] || fail "no edges came through to a thread"
	fi
	# Another device's interrupts come all the same.
	before=$(calls "$other" 0 hard)
	nudge "$other" 0 1
	ends_at "$other" 0 hard $((before + 1))

	# Ten in five seconds; however slow this machine is.
	lines=$(messages "$k")
	allowed=$((((SECONDS - start) / 5 + 2) * 10))
	[ "$lines" -le "$allowed" ] || fail "$lines messages in $((SECONDS - start)) seconds"
	[ "$what" = valid ] || [ "$lines" -ge 1 ] || fail "no message about malformed events"

	# It can be got rid of, and comes back, while the storm goes on.
	in_time sh -c "echo all >$CONSUMER/free"
	# (In User-Mode Linux a reset does not stop the device.)
	if [ "${GPIO_GUEST:-}" != uml ]; then
		in_time rmmod gpio_virtio
		in_time modprobe gpio_virtio
	fi
	in_time get "$k" 3
	ctl "$k" "fault none"

	# Nothing is left of it.
	consumer request "$k" 0 both hard
	consumer request "$k" 1 both threaded
	nudge "$k" 0 0
	nudge "$k" 1 0
	before=
	# What was sent before the end of the storm may still come.
	until [ "$before" = "$(calls "$k" 0 hard)" ]; do
		before=$(calls "$k" 0 hard)
		sleep 0.5
	done
	nudge "$k" 0 1 0
	ends_at "$k" 0 hard $((before + 2))
	nudge "$k" 1 1
	wait_for calls_are "$k" 1 last 1
	hold "$k" 5=1
	let_go
	get "$k" 5
}

test_a_storm_of_valid_events() {
	weather_the_storm 0 valid
}

test_a_storm_of_valid_events_when_armed() {
	weather_the_storm 1 valid
}

test_a_storm_of_malformed_events() {
	weather_the_storm 0 invalid
}

test_a_storm_of_malformed_events_when_armed() {
	weather_the_storm 1 invalid
}

test_a_storm_of_both() {
	weather_the_storm 0 mixed
}

test_a_storm_of_both_when_armed() {
	weather_the_storm 1 mixed
}

# Unbind in the middle of it, again and again.
unbind_in_a_storm() {
	local k=$1 i slowest_ms=0

	not_on_uml "a reset does not stop the device"
	clean_slate
	ctl "$k" "fault storm mixed"
	for i in {1..5}; do
		consumer request "$k" 0 both hard
		consumer request "$k" 1 both threaded
		in_time unbind "$k"
		in_time sh -c "echo all >$CONSUMER/free"
		in_time bind "$k"
	done
	ctl "$k" "fault none"
	get "$k" 3
	echo "$i times; the slowest took $slowest_ms ms"
}

test_unbind_in_a_storm() {
	unbind_in_a_storm 0
}

test_unbind_in_a_storm_when_armed() {
	unbind_in_a_storm 1
}

run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: The guest sleeps and wakes up, idle, and as far as devices see of hibernation: lines are as
#: they were, those who wait for interrupts get them, and requests work. TEST_SLEEPS is how
#: often it sleeps in each of the two ways that matter most (3).

# How it is to be booted: scripts/test reads this. The module in $GPIO_SLEEP is tests/sleep.
#guest: --device rfc,lines=8,label=panel
#guest: --device rfc,lines=8,label=armed,irq-type

. "$(dirname -- "$0")/lib-irq.sh"

ROUNDS=${TEST_SLEEPS:-3}
FEW=$((ROUNDS < 3 ? ROUNDS : 3))
# How long it sleeps, in seconds: longer than a burst of four, and than a slow guest needs to
# get there.
NAP=5
[ "${GPIO_GUEST:-}" != debug ] || NAP=12

# Devices that do not work any more after a sleep are left out of it: the guest's own, of which
# tests/sleep tells.
stay_awake() {
	local path type names=
	for path in /sys/bus/virtio/devices/virtio*; do
		read -r type <"$path/device"
		[ "$type" != "$DEVICE_TYPE" ] || continue
		path=$(readlink -f "$path/..")
		names+=${names:+,}${path##*/}
	done
	insmod "$GPIO_SLEEP" "awake=$names"
}

# slept MODE: how often the guest has slept in this way.
slept() {
	case $1 in
	idle) cat /sys/power/suspend_stats/success ;;
	*) dmesg | grep -c 'hibernation debug: Waiting' || true ;;
	esac
}

# sleep_once MODE: idle, until a timer wakes it; or hibernation until devices, the platform
# or all but the last processor are at rest, and back.
sleep_once() {
	local mode=$1 before resets0 resets1
	before=$(slept "$mode")
	resets0=$(stat 0 resets) resets1=$(stat 1 resets)
	case $mode in
	idle)
		echo $NAP >/sys/module/gpio_sleep/parameters/wake
		echo freeze >/sys/power/state
		;;
	*)
		echo "$mode" >/sys/power/pm_test
		echo $NAP >/sys/module/hibernate/parameters/pm_test_delay
		echo disk >/sys/power/state
		echo none >/sys/power/pm_test
		;;
	esac
	expect_eq "$(slept "$mode")" $((before + 1)) "how often the guest has slept ($mode)"
	# Both lost all that they knew.
	[ "$(stat 0 resets)" -gt "$resets0" ] || fail "device 0 did not notice"
	[ "$(stat 1 resets)" -gt "$resets1" ] || fail "device 1 did not notice"
}

# line_is K LINE WANTED: the device has it so, and so it is for user space if nobody has it.
line_is() { expect_match "$(ctl "$1" get "$2")" "^$3( |\$)" "line $2 of device $1"; }

# Takes lines 0 to 6 of both devices in all ways that there are.
#   0, 1  outputs, high and low      4  a thread, both edges
#   2     gpiomon                    5  input that nobody has; its level is 1
#   3     a handler, rising edges    6  a level, whose handler disables its interrupt
use_lines() {
	local k
	monitors=()
	for k in 0 1; do
		hold $k 0=1 1=0
		nudge $k 2 0
		nudge $k 3 0
		nudge $k 4 1
		nudge $k 5 1
		nudge $k 6 1
		monitor $k 2
		monitors[k]=$monitor
		consumer request $k 3 rising hard
		consumer request $k 4 both threaded
		consumer request $k 6 high hard nosync=1
		wait_for calls_are $k 6 hard 1
	done
}

# says K WHAT: the next line of device K's gpiomon.
says() {
	monitor=${monitors[$1]}
	monitor_says "$2"
}

# lines_are_as_before K ROUND: nothing has happened to them, and nobody was called.
lines_are_as_before() {
	local k=$1 round=$2
	line_is "$k" 0 "out 1"
	line_is "$k" 1 "out 0"
	line_is "$k" 2 "in 0"
	line_is "$k" 3 "in 0"
	line_is "$k" 4 "in 1"
	line_is "$k" 6 "in 1"
	expect_eq "$(calls "$k" 3 hard)" "$round" "calls for line 3 of device $k, which had no edge while it slept"
	expect_eq "$(calls "$k" 4 thread)" $((2 * round)) "calls for line 4 of device $k, which had no edge while it slept"
}

# lines_work K ROUND: each edge and each request gets through.
lines_work() {
	local k=$1 round=$2 calls
	nudge "$k" 2 1
	says "$k" "2 rising"
	nudge "$k" 2 0
	says "$k" "2 falling"
	nudge "$k" 3 1 0
	ends_at "$k" 3 hard $((round + 1))
	nudge "$k" 4 0
	wait_for calls_are "$k" 4 thread $((2 * round + 1))
	expect_eq "$(calls "$k" 4 last)" 0 "the level that the thread of line 4 read"
	nudge "$k" 4 1
	ends_at "$k" 4 thread $((2 * round + 2))
	# The level is there still.
	calls=$(calls "$k" 6 hard)
	[ "$round" != 0 ] || expect_eq "$calls" 1 "calls for line 6 of device $k, whose interrupt is disabled"
	consumer enable "$k" 6
	wait_for fired_again "$k" 6 "$calls"
	nudge "$k" 6 0
	consumer disable "$k" 6
	nudge "$k" 6 1
	# Requests of user space, for lines that somebody has and for others.
	expect_eq "$(gpioget --numeric -c "$(chip "$k")" 5)" 1 "line 5 of device $k"
	gpioset -t0 -c "$(chip "$k")" 7=1
	fails gpioget -c "$(chip "$k")" 0 2>/dev/null
	expect_match "$(gpioinfo -c "$(chip "$k")" 0)" "output" "line 0 of device $k"
}

fired_again() { [ "$(calls "$1" "$2" hard)" -gt "$3" ]; }

# sleeps_with_lines_in_use MODE ROUNDS
sleeps_with_lines_in_use() {
	local mode=$1 rounds=$2 round
	clean_slate
	use_lines
	for ((round = 0; round < rounds; round++)); do
		sleep_once "$mode"
		lines_are_as_before 0 $round
		lines_are_as_before 1 $round
		lines_work 0 $round
		lines_work 1 $round
	done
}

test_idle_sleep_with_lines_in_use() {
	sleeps_with_lines_in_use idle "$ROUNDS"
}

test_hibernation_of_devices_with_lines_in_use() {
	sleeps_with_lines_in_use devices "$ROUNDS"
}

test_hibernation_of_the_platform_with_lines_in_use() {
	sleeps_with_lines_in_use platform "$FEW"
}

test_hibernation_of_the_processors_with_lines_in_use() {
	sleeps_with_lines_in_use core "$FEW"
}

# A line that changes while the guest sleeps, and stays so: who waits for its edges is told
# once. The first change of a burst comes at once, and the others each second.
changes_while_it_sleeps() {
	local mode=$1 round k rising
	clean_slate
	monitors=()
	for k in 0 1; do
		monitor $k 2
		monitors[k]=$monitor
		consumer request $k 3 both hard
		consumer request $k 4 rising hard
	done
	for ((round = 0; round < FEW; round++)); do
		for k in 0 1; do
			# Low, high, and low in the end.
			ctl $k burst 2 2 1
			ctl $k burst 3 2 1
			# This one is low again before anybody has seen it high for the second time.
			ctl $k burst 4 4 1
			says $k "2 rising"
			wait_for calls_are $k 3 hard $((2 * round + 1))
		done
		sleep_once "$mode"
		for k in 0 1; do
			wait_long bursts_are $k 0
			says $k "2 falling"
			ends_at $k 3 hard $((2 * round + 2))
			rising=$(calls $k 4 hard)
			line_is $k 2 "in 0"
			line_is $k 4 "in 0"
			# No edge of before comes late.
			nudge $k 4 1 0
			ends_at $k 4 hard $((rising + 1))
		done
	done
}

test_changes_while_it_sleeps_idle() {
	changes_while_it_sleeps idle
}

test_changes_while_it_hibernates() {
	changes_while_it_sleeps devices
}

# A level that comes while the guest sleeps is there when it wakes up. (On a slow machine it may come
# before that; so it is no handler's that would keep the guest from sleeping.)
levels_while_it_sleeps() {
	local mode=$1 round k
	clean_slate
	for ((round = 0; round < FEW; round++)); do
		for k in 0 1; do
			nudge $k 6 1
			# Low at once, and high in a second.
			ctl $k burst 6 2 1
			consumer request $k 6 high hard nosync=1
		done
		sleep_once "$mode"
		for k in 0 1; do
			wait_long bursts_are $k 0
			ends_at $k 6 hard 1
			nudge $k 6 0
			consumer enable $k 6
			ends_at $k 6 hard 1
			nudge $k 6 1
			wait_for fired_again $k 6 1
			consumer free $k 6
		done
	done
}

test_levels_while_it_sleeps_idle() {
	levels_while_it_sleeps idle
}

test_levels_while_it_hibernates() {
	levels_while_it_sleeps devices
}

# Nobody has a line, and nobody is told about one: as it was after a bind.
test_sleep_without_consumers() {
	local mode k
	clean_slate
	for mode in idle devices; do
		for k in 0 1; do
			nudge $k 3 1
		done
		sleep_once $mode
		for k in 0 1; do
			expect_eq "$(gpioget --numeric -c "$(chip $k)" 3)" 1 "line 3 of device $k"
			hold $k 4=1
			let_go
			monitor $k 3
			nudge $k 3 0
			monitor_says "3 falling"
			stop_monitor
		done
	done
}

# Threads make requests all the time; those that are under way when it goes to sleep end well.
test_sleep_in_the_middle_of_requests() {
	local mode pids pid
	clean_slate
	for mode in idle devices; do
		pids=()
		ctl 0 "fault late 100 always"
		for k in 0 1; do
			"$GPIO_HAMMER" --chip "$(chip $k)" --threads 4 --lines 4 --requests "$([ $k = 0 ] && echo 100 || echo 5000)" &
			pids+=($!)
			helpers+=($!)
		done
		wait_for in_flight 0 4
		sleep_once $mode
		for pid in "${pids[@]}"; do
			wait "$pid"
		done
		ctl 0 "fault none"
		expect_eq "$(stat 0 in-flight)" 0 "commands in flight"
		expect_eq "$(stat 1 in-flight)" 0 "commands in flight"
	done
}

# A driver that slept can be unbound, and bound again.
test_unbind_after_sleep() {
	local mode
	clean_slate
	for mode in idle devices; do
		consumer request 0 3 both
		sleep_once $mode
		unbind 0
		echo all >"$CONSUMER/free"
		bind 0
		consumer request 0 3 both
		nudge 0 3 1
		ends_at 0 3 hard 1
		nudge 0 3 0
		consumer free 0 3
	done
}

stay_awake
run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Binds and unbinds, loads and unloads, again and again while lines are used.
#: TEST_BINDS and TEST_LOADS are how often (200 and 50).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8
#guest: --device rfc,lines=8
#guest: --param timeout_ms=60000

. "$(dirname -- "$0")/lib.sh"

# Uses lines of both chips until told to stop. Errors are what an unbind gives.
load() {
	local k
	while [ ! -e /run/stop ]; do
		for k in 0 1; do
			gpioget -c "$(chip $k)" 0 1 2 >/dev/null 2>&1 || true
			gpioset -t0 -c "$(chip $k)" 3=1 4=0 >/dev/null 2>&1 || true
		done
	done
}

start_load() {
	rm -f /run/stop
	load &
	loads=$!
}

stop_load() {
	touch /run/stop
	wait "$loads" || true
}

# Memory that the kernel uses for itself, in kilobytes, when it has come to rest.
kernel_memory() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	sleep 1
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^SUnreclaim:/ { print $2 }' /proc/meminfo
}

rounds_of_bind() {
	local i
	for ((i = 0; i < $1; i++)); do
		unbind 0
		bind 0
	done
}

test_bind_and_unbind_under_load() {
	local before after
	rounds_of_bind 20
	before=$(kernel_memory)
	start_load
	rounds_of_bind "${TEST_BINDS:-200}"
	stop_load
	after=$(kernel_memory)
	echo "kernel memory: $before kB before, $after kB after"
	# The checkers of the debug kernel keep what was freed; there kmemleak looks when
	# the test has ended, and sees single objects.
	if [ ! -e /sys/kernel/debug/kmemleak ]; then
		# A chip and its slots are more than 32 kB: a leak of one in ten rounds is seen.
		[ $((after - before)) -lt $((${TEST_BINDS:-200} * 2 + 512)) ] || fail "memory was lost"
	fi
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 0)" 0 "line 0"
}

# Objects are counted, one by one; the kernel may have been built without that.
counts_objects() {
	[ -r /proc/slabinfo ] || {
		echo "# SKIP this kernel does not count the objects in its caches"
		exit 4
	}
}

bind_and_use() {
	unbind 0
	bind 0
	gpioget -c "$(chip 0)" 0 >/dev/null
}

test_rounds_of_bind_leave_nothing_behind() {
	counts_objects
	keeps_nothing 20 bind_and_use
}

# Requests that a device spoils, and one that it never answers while it is unbound.
spoiled_requests() {
	local fault
	for fault in short long empty-reply; do
		ctl 0 "fault $fault always"
		fails gpioget -c "$(chip 0)" 1 >/dev/null 2>&1
	done
	ctl 0 "fault none"
	ctl 0 "fault never always"
	gpioget -c "$(chip 0)" 2 >/dev/null 2>&1 &
	wait_for in_flight 0 1
	unbind 0
	fails wait $!
	ctl 0 "fault none"
	bind 0
}

test_rounds_of_faults_leave_nothing_behind() {
	not_with_c "waits for ever for what a device does not answer"
	counts_objects
	keeps_nothing 12 spoiled_requests
}

test_unbind_with_lines_held() {
	local answer holder
	coproc HOLDER { exec "$(dirname -- "$0")/hold-line.py" "$(chip 0)" 2; }
	holder=$HOLDER_PID
	read -r -t 30 answer <&"${HOLDER[0]}"
	expect_eq "$answer" held "the one who holds the line"
	expect_match "$(ctl 0 get 2)" '^out 1' "line 2"

	timed unbind 0
	# The limit of a request: unbind waits for nobody.
	[ "$elapsed_ms" -lt 60000 ] || fail "unbind took $elapsed_ms ms"

	# Who still has the line gets an error, and no more.
	echo >&"${HOLDER[1]}"
	read -r -t 10 answer <&"${HOLDER[0]}"
	expect_eq "$answer" ENODEV "setting the line after the unbind"
	kill "$holder"
	wait "$holder" 2>/dev/null || true
	bind 0
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 2)" 0 "line 2 after the bind"
}

test_load_and_unload_under_load() {
	local i tries
	[ -z "${GPIO_BUILT_IN:-}" ] || fail "the driver is built in"
	start_load
	for ((i = 0; i < ${TEST_LOADS:-50}; i++)); do
		tries=0
		# While a line is requested the module is in use.
		until rmmod gpio_virtio 2>/dev/null; do
			tries=$((tries + 1))
			[ $tries -lt 500 ] || fail "the module cannot be removed"
		done
		modprobe gpio_virtio
	done
	stop_load
	expect_match "$(chip 0)" '^gpiochip' "chip of device 0"
	expect_match "$(chip 1)" '^gpiochip' "chip of device 1"
	expect_eq "$(gpioget --numeric -c "$(chip 1)" 0)" 0 "line 0"
}

run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that is killed again and again (SIGKILL) while its lines are used: each time
#: they work again, and nobody waits longer than the time limit. TEST_KILLS is how often
#: (20).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel,restart
#guest: --device rfc,lines=8,label=armed,irq-type,restart
#guest: --param timeout_ms=5000

. "$(dirname -- "$0")/lib-reset.sh"

LIMIT=5000
# What a task waits besides, on a slow machine: it is woken, but has no processor yet.
SLACK=1000

# Four threads set and read lines 3 to 6. The level that one reads may be the new device's,
# from before the driver knows of it; so only who fails to end is to be seen here.
load() {
	until [ -e /run/stop ]; do
		"$GPIO_HAMMER" --chip "$(chip "$1")" --threads 4 --lines 4 --first 3 --requests 500 || true
	done >/run/hammer 2>&1
}

# edges_again K: the lines that are watched change, over and over, as long as the device lives.
edges_again() {
	local line
	for line in 0 1 2; do
		ctl "$1" burst "$line" 100000 500
	done
}

more_resets() { [ "$(resets "$1")" -gt "$2" ]; }

# More waits were given up than these.
more_time_outs() { [ "$(time_outs "$1")" -gt "$2" ]; }
time_outs() { sed -n 's/^time-outs: *//p' "/sys/kernel/debug/gpio_virtio.$(virtio_name "$1")/state"; }

killed_under_load() {
	local k=$1 i kills=${TEST_KILLS:-20} loads edges line status longest tasks whose waits out slowest=0
	local start before
	clean_slate
	rm -f /run/stop

	coproc EDGES { exec "$GPIO_EDGES" --chip "$(chip "$k")" --lines 3 2>&1; }
	edges=$EDGES_PID
	helpers+=("$edges")
	exec {out}<&"${EDGES[0]}"
	read -r -t 60 line <&"$out"
	expect_eq "$line" ready "gpio-edges"
	load "$k" &
	loads=$!
	exec {waits}> >(exec "$(dirname -- "$0")/watch-waits.py" gpio-hammer-threads gpio-edges >/run/waits)

	for ((i = 1; i <= kills; i++)); do
		edges_again "$k"
		# Not always in the same moment of what the others do.
		sleep "0.$((RANDOM % 10))"
		before=$(resets "$k")
		# Some wait for an answer that does not come when this ends it.
		[ $((i % 3)) != 0 ] || ctl "$k" fault never 2
		guard "$k" kill >/dev/null
		start=${EPOCHREALTIME/./}
		wait_for works "$k" 7
		start=$(((${EPOCHREALTIME/./} - start) / 1000))
		[ "$start" -le "$slowest" ] || slowest=$start
		# That may have been before the driver knew.
		wait_for more_resets "$k" "$before"
	done

	# One answer that never comes: a wait that lasts as long as any may is seen. (It is one of
	# the threads', as there are no edges that an interrupt's thread would ask about.)
	before=$(time_outs "$k")
	ctl "$k" fault never 1
	wait_for more_time_outs "$k" "$before"
	ctl "$k" fault release

	touch /run/stop
	timed wait "$loads"
	expect_match "$(cat /run/hammer)" 'requests=[0-9]+' "what the threads say"
	exec {waits}>&-
	wait_for test -s /run/waits
	read -r longest tasks whose </run/waits
	echo "$kills kills; a line worked again after $slowest ms at most; $tasks tasks," \
		"the longest wait was $longest ms ($whose)"
	[ "$tasks" -ge 5 ] || fail "only $tasks tasks were seen"
	[ "$longest" -ge $((LIMIT / 2)) ] || fail "the wait for an answer that never came was not seen"
	[ "$longest" -le $((LIMIT + SLACK)) ] || fail "$whose waited $longest ms"

	# The edges that come now are seen.
	before=$(resets "$k")
	guard "$k" kill >/dev/null
	wait_for works "$k" 7
	wait_for more_resets "$k" "$before"
	for line in 0 1 2; do
		nudge "$k" "$line" 1 0 1
	done
	wait_long owes_nothing "$k"
	echo stop >&"${EDGES[1]}"
	cat <&"$out"
	status=0
	wait "$edges" || status=$?
	expect_eq $status 0 "status of gpio-edges"
	expect_eq "$(stat "$k" in-flight)" 0 "commands in flight"
}

test_killed_under_load() {
	killed_under_load 0
}

test_killed_under_load_when_armed() {
	killed_under_load 1
}

run_tests

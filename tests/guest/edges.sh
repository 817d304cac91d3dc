#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Very many edges on eight lines, as fast as the device can make them, and then slower:
#: some are merged, but none is lost that was not followed by another. TEST_EDGES is how
#: many (100000).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel
#guest: --device rfc,lines=8,label=armed,irq-type

. "$(dirname -- "$0")/lib-irq.sh"

# An odd number for each line, so that the last level is not the first one.
EACH=$((${TEST_EDGES:-100000} / 8 | 1))

# As fast as it goes most are merged; so many a second on each line are mostly told.
RATES=("" 4000)

# make_edges K RATE: all of them, and the device has told of them when this ends.
make_edges() {
	local k=$1 rate=$2 line start=${EPOCHREALTIME/./}
	ctl "$k" reset-stats
	for line in {0..7}; do
		ctl "$k" burst "$line" $EACH "$rate"
	done
	wait_long bursts_are "$k" 0
	wait_long owes_nothing "$k"
	echo "$((EACH * 8)) edges in $(((${EPOCHREALTIME/./} - start) / 1000)) ms: $(ctl "$k" stats)"
}

# adds_up K: what the device counted. Each change was told, or merged into one that was.
adds_up() {
	local k=$1
	expect_eq "$(stat "$k" changes)" $((EACH * 8)) "changes"
	expect_eq "$(($(stat "$k" events) + $(stat "$k" merged)))" "$(stat "$k" changes)" "events and merged changes"
	expect_eq "$(stat "$k" owed)" 0 "what is owed"
}

# total K KEY: the calls of all consumers.
total() {
	awk -v label="${LABELS[$1]}" -v key="$2=" '
		$1 == label { for (i = 3; i <= NF; i++) if (index($i, key) == 1) n += substr($i, length(key) + 1) }
		END { print n + 0 }
	' "$CONSUMER/calls"
}

total_is() { [ "$(total "$1" "$2")" = "$3" ]; }

# watch_edges K HOW RATE: gpio-edges sees them.
watch_edges() {
	local k=$1 how=$2 rate=$3 line status pid out

	coproc EDGES { exec "$GPIO_EDGES" --chip "$(chip "$k")" --lines 8 --requests "$how" 2>&1; }
	pid=$EDGES_PID
	helpers+=("$pid")
	# When it has ended, what it printed is still to be read.
	exec {out}<&"${EDGES[0]}"
	line=
	read -r -t 60 line <&"$out" || true
	expect_eq "$line" ready "gpio-edges"

	make_edges "$k" "$rate"
	adds_up "$k"
	echo stop >&"${EDGES[1]}"
	cat <&"$out"
	status=0
	wait "$pid" || status=$?
	expect_eq $status 0 "status of gpio-edges"
}

# user_space_sees_the_last_edge K HOW: with one request for all lines, or one for each.
user_space_sees_the_last_edge() {
	local rate

	clean_slate
	for rate in "${RATES[@]}"; do
		watch_edges "$@" "$rate"
	done
}

test_user_space_sees_the_last_edge() {
	user_space_sees_the_last_edge 0 one
}

test_user_space_sees_the_last_edge_when_armed() {
	user_space_sees_the_last_edge 1 one
}

test_user_space_sees_the_last_edge_of_each_request() {
	user_space_sees_the_last_edge 0 each
}

test_user_space_sees_the_last_edge_of_each_request_when_armed() {
	user_space_sees_the_last_edge 1 each
}

# Each event is one call.
the_kernel_gets_each_event() {
	local k=$1 rate line before wanted

	clean_slate
	for line in {0..7}; do
		consumer request "$k" "$line" both hard no-thread
	done
	for rate in "${RATES[@]}"; do
		before=$(total "$k" hard)
		make_edges "$k" "$rate"
		wanted=$((before + $(stat "$k" events)))
		wait_for total_is "$k" hard $wanted
		sleep 0.5
		expect_eq "$(total "$k" hard)" $wanted "calls, as many as events"
		adds_up "$k"
	done
	for line in {0..7}; do
		called_in_an_interrupt "$k" "$line"
	done
}

test_the_kernel_gets_each_event() {
	the_kernel_gets_each_event 0
}

test_the_kernel_gets_each_event_when_armed() {
	the_kernel_gets_each_event 1
}

# A thread is not called for each, but for the last one it is.
threads_see_the_last_level() {
	local k=$1 rate line calls

	clean_slate
	for line in {0..7}; do
		consumer request "$k" "$line" both threaded
	done
	for rate in "${RATES[@]}"; do
		make_edges "$k" "$rate"
		adds_up "$k"
		calls=
		until [ "$calls" = "$(total "$k" thread)" ]; do
			calls=$(total "$k" thread)
			sleep 0.5
		done
		echo "$calls calls of threads until now"
		for line in {0..7}; do
			expect_match "$(ctl "$k" get "$line")" "^in $(calls "$k" "$line" last)" "line $line, when its thread was called last"
		done
	done
}

test_threads_see_the_last_level() {
	threads_see_the_last_level 0
}

test_threads_see_the_last_level_when_armed() {
	threads_see_the_last_level 1
}

run_tests

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that spoils replies and events at random, in all ways at once, while the guest
#: does much with it: the guest lives, and finds all in order when that is over.
#: CAMPAIGN_SECONDS is how long it goes on with each device (60), CAMPAIGN_COUNT how many
#: bad replies and events there have to be at least, however long that takes; SEED repeats
#: what the device does.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=32,label=panel
#guest: --device rfc,lines=32,label=armed,irq-type

. "$(dirname -- "$0")/lib-irq.sh"

SEED=${SEED:-$SRANDOM}
LENGTH=${CAMPAIGN_SECONDS:-60}
COUNT=${CAMPAIGN_COUNT:-0}

# Of a thousand replies, and of as many events, so many are bad.
RATE=500

# For so many seconds the device goes on in one way, with so many edges a second on each line.
ROUND=4
EDGES=2000

# Which lines are for whom: for threads that use one each, for a program that uses many at a
# time, for those who wait for edges.
HAMMERED=0
MANY=8
MANY_COUNT=16
WATCHED=24

bad_ones() {
	echo $(($(stat "$1" hostile-replies) + $(stat "$1" hostile-events) + $(stat "$1" stray-events)))
}

# start_many K: starts the program that uses many lines. It ends when it is told to.
start_many() {
	local line

	coproc MANY_LINES { exec "$(dirname -- "$0")/campaign-load.py" "$(chip "$1")" $MANY $MANY_COUNT 2>&1; }
	# shellcheck disable=SC2153 # coproc sets it
	many_pid=$MANY_LINES_PID
	helpers+=("$many_pid")
	exec {many_out}<&"${MANY_LINES[0]}" {many_in}>&"${MANY_LINES[1]}"
	read -r -t 300 line <&"$many_out" || fail "campaign-load.py says nothing"
	expect_eq "$line" ready "campaign-load.py"
}

end_many() {
	local line

	# To write to one that has ended would be the end of this too.
	kill -0 "$many_pid" 2>/dev/null || fail "campaign-load.py has ended early: $(cat <&"$many_out")"
	echo "end" >&"$many_in"
	read -r -t 300 line <&"$many_out" || fail "campaign-load.py does not end"
	echo "many lines at a time: $line"
	wait "$many_pid"
	exec {many_in}>&- {many_out}<&-
	expect_match "$line" '^[1-9][0-9]* calls worked, [1-9]' "what campaign-load.py did"
}

# start_load K: everything that is to meet the bad replies and events. It takes its lines while
# the device still keeps the rules.
start_load() {
	local k=$1

	start_many "$k"
	# More requests than there is time for.
	"$GPIO_HAMMER" --chip "$(chip "$k")" --threads 8 --first $HAMMERED --requests 1000000000 >/run/hammer 2>&1 &
	hammer_pid=$!
	helpers+=("$hammer_pid")
	wait_for held "$k" $((HAMMERED + 7))
	gpiomon --banner --edges both -c "$(chip "$k")" $((WATCHED + 4)) $((WATCHED + 5)) >/run/monitor 2>&1 &
	monitor_pid=$!
	helpers+=("$monitor_pid")
	wait_for grep -q Monitoring /run/monitor
	consumer request "$k" $WATCHED both hard
	consumer request "$k" $((WATCHED + 1)) both threaded
	consumer request "$k" $((WATCHED + 2)) rising hard
	consumer request "$k" $((WATCHED + 3)) falling threaded
}

end_load() {
	local pid

	end_many
	for pid in "$hammer_pid" "$monitor_pid"; do
		kill -0 "$pid" || fail "it has ended early: $(head -n 5 /run/hammer /run/monitor)"
		kill "$pid"
		wait "$pid" 2>/dev/null || true
	done
	echo "edges that gpiomon saw: $(grep -cE 'rising|falling' /run/monitor || true)"
	echo all >"$CONSUMER/free"
}

# toggle K: has the watched lines toggled from outside for a round, those that are not just being.
toggle() {
	local line port reply

	exec {port}<>"/dev/virtio-ports/gpio-control.$1"
	for line in {0..5}; do
		echo "burst $((WATCHED + line)) $((ROUND * EDGES)) $EDGES"
	done >&"$port"
	for line in {0..5}; do
		IFS= read -r -t 60 reply <&"$port" || fail "device $1 does not answer"
	done
	exec {port}>&-
}

# go_on K: whether there is more to come.
go_on() {
	[ $((SECONDS - start)) -lt "$LENGTH" ] || [ "$(bad_ones "$1")" -lt "$COUNT" ]
}

# campaign K: round after round, with a seed of its own each. In three of four there is a storm of
# events too; in one of four what breaks a queue is among the rest, so that the device is reset.
campaign() {
	local k=$1 start round=0 breaking

	start=$SECONDS
	while go_on "$k"; do
		breaking=
		# (In User-Mode Linux a reset does not reach the device.)
		[ $((round % 4)) != 1 ] || [ "${GPIO_GUEST:-}" = uml ] || breaking=breaking
		ctl "$k" "fault none"
		ctl "$k" "fault release"
		ctl "$k" "fault random $((SEED + round)) $RATE $breaking"
		[ -n "$breaking" ] || ctl "$k" "fault storm mixed"
		toggle "$k"
		# The guest is usable all the time.
		sleep $ROUND
		ls /proc/self >/dev/null
		gpioget -c "$(chip "$k")" 30 >/dev/null 2>&1 || true
		gpioset -t0 -c "$(chip "$k")" 31=1 >/dev/null 2>&1 || true
		round=$((round + 1))
	done
	ctl "$k" "fault none"
	ctl "$k" "fault release"
	echo "SEED=$SEED: in $((SECONDS - start)) seconds and $round rounds $(stat "$k" hostile-replies) bad" \
		"replies, $(stat "$k" hostile-events) bad events, and $(stat "$k" stray-events) that nobody asked for"
	echo "the device: $(ctl "$k" stats)"
	echo "the driver: $(tr '\n' ' ' <"/sys/kernel/debug/gpio_virtio.$(virtio_name "$k")/state")"
}

works() { gpioget -c "$(chip "$1")" 31 >/dev/null; }

# all_is_well K: every line can be set and read, and its edges come.
all_is_well() {
	local k=$1 line level before

	# If it is just being reset that takes a while, and longer if it did not work at once.
	wait_long works "$k"
	wait_long bursts_are "$k" 0
	"$(dirname -- "$0")/many-lines.py" "$(chip "$k")" "$k" values
	"$(dirname -- "$0")/many-lines.py" "$(chip "$k")" "$k" inputs
	for line in 0 $WATCHED 31; do
		ctl "$k" set "$line" 0
		consumer request "$k" "$line" both hard
		# What was owed to nobody may still be under way.
		sleep 0.5
		before=$(calls "$k" "$line" hard)
		for level in 1 0 1; do
			nudge "$k" "$line" $level
			before=$((before + 1))
			wait_for calls_are "$k" "$line" hard $before
		done
		consumer free "$k" "$line"
	done
}

weather_a_campaign() {
	local k=$1 least

	not_with_c "has not been made for this"
	clean_slate
	ctl "$k" reset-stats
	start_load "$k"
	campaign "$k"
	end_load
	# Ten in a second are few, however slow this machine is.
	least=$((LENGTH * 10))
	[ "$(stat "$k" hostile-replies)" -ge $least ] || fail "there were few bad replies"
	[ "$(stat "$k" hostile-events)" -ge $least ] || fail "there were few bad events"
	[ "$(bad_ones "$k")" -ge "$COUNT" ] || fail "there were too few of both"

	all_is_well "$k"
	unbind "$k"
	bind "$k"
	all_is_well "$k"
	rmmod gpio_virtio
	modprobe gpio_virtio
	all_is_well "$k"
}

test_a_campaign() {
	weather_a_campaign 0
}

test_a_campaign_when_armed() {
	weather_a_campaign 1
}

run_tests

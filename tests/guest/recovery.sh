#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that stops answering, and one that dies and comes back as a new one: the
#: driver resets it, and lines are again as their users have them.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel,restart
#guest: --device rfc,lines=8,label=armed,irq-type,restart
#guest: --param timeout_ms=60000

. "$(dirname -- "$0")/lib-reset.sh"
echo $LONG >/run/limit

# What a test has done to a device does not concern the next one.
clean_up_dead() {
	local k
	for k in 0 1; do
		[[ "$(guard "$k" stats)" != *pid=0* ]] || guard "$k" revive >/dev/null
	done
	clean_up
}
clean_slate() { trap clean_up_dead EXIT; }

# reset_is K N WHAT: the N-th reset comes, and no other one.
reset_is() {
	(wait_for resets_are "$1" "$2") >/dev/null || true
	sleep 0.5
	expect_eq "$(resets "$1")" "$2" "resets $3"
}

# Three commands are not answered, one after the other: that is one reset, with one message.
stops_answering() {
	local k=$1 before i elapsed_ms status
	clean_slate
	limit $SHORT
	log_mark
	before=$(resets "$k")
	ctl "$k" fault never 3
	for i in 1 2 3; do
		timed get "$k" 2
		echo "gpioget $i: status $status after $elapsed_ms ms"
		# Not more than there are commands in it, and those that set it up.
		[ "$elapsed_ms" -lt $((SHORT * 5)) ] || fail "a caller waited $elapsed_ms ms"
		! resets_are "$k" $((before + 1)) || break
	done
	reset_is "$k" $((before + 1)) "after three time-outs"
	expect_eq "$(messages "$k" '[Rr]eset')" 1 "messages about it"
	wait_for works "$k" 2
	expect_eq "$(stat "$k" in-flight)" 0 "commands in flight"
	# What comes after it counts from the beginning.
	ctl "$k" fault never 1
	get "$k" 2 || true
	wait_for works "$k" 2
	reset_is "$k" $((before + 1)) "after another time-out"
}

test_a_device_that_stops_answering_is_reset() {
	stops_answering 0
}

test_a_device_that_stops_answering_is_reset_when_armed() {
	stops_answering 1
}

test_time_outs_that_are_not_in_a_row_do_no_harm() {
	local before i
	clean_slate
	limit $SHORT
	before=$(resets 0)
	for i in 1 2 3 4; do
		ctl 0 fault never 1
		get 0 2 || true
		get 0 2
	done
	reset_is 0 "$before" "after single time-outs"
}

test_lines_are_restored_after_time_outs() {
	local before i
	clean_slate
	limit $SHORT
	before=$(resets 0)
	hold 0 1=1 4=0
	ctl 0 fault never 3
	for i in 1 2 3; do
		get 0 2 || true
		! resets_are 0 $((before + 1)) || break
	done
	reset_is 0 $((before + 1)) "after three time-outs"
	wait_for drives 0 1 1
	wait_for drives 0 4 0
}

# The lines' users notice nothing: outputs are driven as before, inputs are inputs.
comes_back() {
	local k=$1 before i levels
	clean_slate
	limit $LONG
	log_mark
	hold "$k" 0=1 1=0 2=1
	monitor "$k" 5
	before=$(resets "$k")
	for i in 1 2 3; do
		guard "$k" kill >/dev/null
		wait_for drives "$k" 0 1
		wait_for drives "$k" 1 0
		wait_for drives "$k" 2 1
		expect_match "$(ctl "$k" get 5)" '^in 0' "line 5"
		reset_is "$k" $((before + i)) "after $i deaths"
	done
	levels=$(messages "$k" '[Rr]eset')
	expect_eq "$levels" 3 "messages about three resets"
	# They are still theirs, and can be set to something else.
	let_go
	hold "$k" 0=0 1=1
	wait_for works "$k" 2
}

test_outputs_and_inputs_are_restored() {
	comes_back 0
}

test_outputs_and_inputs_are_restored_when_armed() {
	comes_back 1
}

test_the_one_who_holds_a_line_goes_on() {
	local answer holder
	clean_slate
	limit $LONG
	coproc HOLDER { exec "$(dirname -- "$0")/hold-line.py" "$(chip 0)" 3; }
	holder=$HOLDER_PID
	helpers+=("$holder")
	read -r -t 30 answer <&"${HOLDER[0]}"
	expect_eq "$answer" held "the one who holds the line"
	guard 0 kill >/dev/null
	wait_for drives 0 3 1
	echo >&"${HOLDER[1]}"
	read -r -t 30 answer <&"${HOLDER[0]}"
	expect_eq "$answer" set "the same, after the death"
	wait_for drives 0 3 0
}

# Who watches for edges gets those that come after the death.
edges_come() {
	local k=$1 i
	clean_slate
	limit $LONG
	monitor "$k" 6
	nudge "$k" 6 1
	monitor_says "6 rising"
	nudge "$k" 6 0
	monitor_says "6 falling"
	for i in 1 2 3; do
		guard "$k" kill >/dev/null
		wait_for is_armed "$k" 6 both
		wait_for works "$k" 2
		nudge "$k" 6 1
		monitor_says "6 rising"
		nudge "$k" 6 0
		monitor_says "6 falling"
	done
	stop_monitor
}

test_edges_come_after_the_death() {
	edges_come 0
}

test_edges_come_after_the_death_when_armed() {
	edges_come 1
}

levels_come() {
	local k=$1
	clean_slate
	limit $LONG
	consumer request "$k" 3 high hold threaded
	nudge "$k" 3 1
	wait_for calls_are "$k" 3 thread 1
	nudge "$k" 3 0
	consumer release "$k" 3
	guard "$k" kill >/dev/null
	wait_for is_armed "$k" 3 high
	wait_for works "$k" 2
	ends_at "$k" 3 thread 1
	nudge "$k" 3 1
	wait_for calls_are "$k" 3 thread 2
	nudge "$k" 3 0
	consumer release "$k" 3
	ends_at "$k" 3 thread 2
}

test_levels_come_after_the_death() {
	levels_come 0
}

test_levels_come_after_the_death_when_armed() {
	levels_come 1
}

# The thread of a level's handler runs while the device dies.
test_a_death_while_a_handler_runs() {
	clean_slate
	limit $LONG
	consumer request 1 3 high hold threaded
	nudge 1 3 1
	wait_for calls_are 1 3 thread 1
	guard 1 kill >/dev/null
	wait_for works 1 2
	# The line of the new device is low.
	consumer release 1 3
	ends_at 1 3 thread 1
	nudge 1 3 1
	wait_for calls_are 1 3 thread 2
	nudge 1 3 0
	consumer release 1 3
	ends_at 1 3 thread 2
}

test_a_request_in_flight_ends() {
	local pid start
	clean_slate
	limit $LONG
	ctl 0 fault never 1
	get 0 2 >/dev/null 2>&1 &
	pid=$!
	helpers+=("$pid")
	wait_for in_flight 0 1
	start=${EPOCHREALTIME/./}
	guard 0 kill >/dev/null
	wait $pid || true
	[ $(((${EPOCHREALTIME/./} - start) / 1000)) -lt $LONG ] || fail "it waited until the time was over"
	wait_for works 0 2
}

# messages_are_few K START: ten in five seconds, however slow this machine is.
messages_are_few() {
	local lines allowed
	lines=$(messages "$1")
	allowed=$((((SECONDS - $2) / 5 + 2) * 10))
	[ "$lines" -le "$allowed" ] || fail "$lines messages in $((SECONDS - $2)) seconds"
	echo "$lines messages in $((SECONDS - $2)) seconds"
}

test_a_device_which_stays_dead() {
	local i start=$SECONDS elapsed_ms status
	clean_slate
	limit $SHORT
	log_mark
	hold 0 1=1
	guard 0 bury
	for i in {1..6}; do
		timed get 0 2
		[ "$status" != 0 ] || fail "there was a value from a dead device"
		[ "$elapsed_ms" -lt $((SHORT * 5)) ] || fail "the caller waited $elapsed_ms ms"
	done
	messages_are_few 0 "$start"
	# It is not tried for ever, and not without a pause.
	expect_match "$(resets 0)" '^[0-9]+$' "resets"
	[ "$(resets 0)" -le 10 ] || fail "there were $(resets 0) resets"

	# It comes back, and so do the lines.
	guard 0 revive >/dev/null
	wait_for works 0 2
	wait_for drives 0 1 1
}

# dies K: a device is dead, and known to be.
dies() {
	local i
	guard "$1" bury >/dev/null
	for i in {1..10}; do
		! state_is "$1" state failed || return 0
		get "$1" 2 >/dev/null 2>&1 || true
	done
	wait_for state_is "$1" state failed
}

# What a consumer does about its interrupt then is told to the new device.
turned_on_meanwhile() {
	local k=$1 line
	clean_slate
	limit $SHORT
	for line in 3 4; do
		consumer request "$k" $line both hard
	done
	consumer disable "$k" 3
	dies "$k"
	consumer enable "$k" 3
	consumer disable "$k" 4
	consumer enable "$k" 4
	guard "$k" revive >/dev/null
	wait_for works "$k" 2
	for line in 3 4; do
		wait_for is_armed "$k" $line both
		nudge "$k" $line 1
		ends_at "$k" $line hard 1
	done
}

test_an_interrupt_turned_on_while_the_device_is_dead() {
	turned_on_meanwhile 0
}

test_an_interrupt_turned_on_while_the_device_is_dead_when_armed() {
	turned_on_meanwhile 1
}

# Who has a line next has not asked for what the one before wanted.
test_an_output_given_back_meanwhile_is_not_restored() {
	local answer
	only_for_protocol standard "a line that is given back stays what it is"
	clean_slate
	limit $SHORT
	hold 0 3=1
	dies 0
	let_go
	coproc HAND { exec "$(dirname -- "$0")/hand.py" "$(chip 0)" as-is 3 2>&1; }
	# shellcheck disable=SC2153 # coproc sets it
	helpers+=("$HAND_PID")
	read -r -t 300 answer <&"${HAND[0]}" || fail "hand.py says nothing"
	expect_eq "$answer" ready "the one who has the line next"
	guard 0 revive >/dev/null
	wait_for works 0 2
	expect_match "$(ctl 0 get 3)" "^$IDLE" "line 3"
}

test_a_dead_device_can_be_unbound() {
	local elapsed_ms status
	clean_slate
	limit $LONG
	guard 0 bury
	get 0 2 >/dev/null 2>&1 &
	helpers+=($!)
	timed unbind 0
	expect_eq "$status" 0 "status of unbind"
	[ "$elapsed_ms" -lt $LONG ] || fail "unbind waited until the time was over"
	wait_for is_gone "${helpers[-1]}"
	guard 0 revive >/dev/null
	bind 0
	wait_for works 0 2
}

test_the_module_can_be_removed_while_a_device_is_dead() {
	local elapsed_ms status
	clean_slate
	limit $SHORT
	guard 0 bury
	# In the middle of what is done about it.
	get 0 2 || true
	get 0 2 || true
	timed rmmod gpio_virtio
	expect_eq "$status" 0 "status of rmmod"
	[ "$elapsed_ms" -lt $((SHORT * 5)) ] || fail "rmmod took $elapsed_ms ms"
	# It is not there to be bound, in time; the other device is.
	timed insmod "$(modinfo -n gpio_virtio)" "timeout_ms=$SHORT"
	[ "$elapsed_ms" -lt $((SHORT * 10)) ] || fail "insmod took $elapsed_ms ms"
	fails is_bound 0
	wait_for works 1 2
	guard 0 revive >/dev/null
	bind 0
	wait_for works 0 2
}

# The device dies while the driver reads its configuration, asks for directions, and so on.
deaths_while_binding() {
	local k=$1 i pid bound=0
	clean_slate
	limit $SHORT
	for i in {0..19}; do
		unbind "$k"
		bind "$k" 2>/dev/null &
		pid=$!
		sleep "0.0$((i % 10))"
		guard "$k" kill >/dev/null
		wait $pid || true
		if is_bound "$k"; then
			bound=$((bound + 1))
		else
			bind "$k"
		fi
		wait_for works "$k" 2
	done
	echo "$bound of 20 binds survived it"
}

test_deaths_while_binding() {
	deaths_while_binding 0
}

test_deaths_while_binding_when_armed() {
	deaths_while_binding 1
}

test_unbinding_while_the_device_dies() {
	local i pid
	clean_slate
	limit $LONG
	for i in {0..9}; do
		guard 0 kill >/dev/null &
		pid=$!
		sleep "0.0$i"
		unbind 0
		wait $pid
		bind 0
		works 0 2
	done
}

run_tests

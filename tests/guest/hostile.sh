#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that does each of the things wrong that it can do wrong: what comes of it, and
#: that nothing else comes of it.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=armed,irq-type
#guest: --device rfc,lines=8,label=panel,restart
#guest: --param timeout_ms=60000

. "$(dirname -- "$0")/lib-irq.sh"

# Most of this does not end with the time limit, which a slow machine would reach by being
# slow. What does has the short one.
SHORT=2000
LONG=60000

# What the kernel's own driver does, and does not.
FOR_EVER="waits for ever, and so does what it keeps from ending"
NO_RESET="does not reset a device"
NO_STATE="does not count what it refuses"

# with_limit MS: loads the driver with this time limit, in place of the one that it has.
with_limit() {
	rmmod gpio_virtio
	# Not modprobe: it would add what the kernel's command line says.
	insmod "$(modinfo -n gpio_virtio)" "timeout_ms=$1"
}

# take K in|out LINE...: hand.py has these lines of device K, for `ask`, until `drop`.
take() {
	local k=$1
	shift
	coproc HAND { exec "$(dirname -- "$0")/hand.py" "$(chip "$k")" "$@" 2>&1; }
	# shellcheck disable=SC2153 # coproc sets it
	hand_pid=$HAND_PID
	helpers+=("$hand_pid")
	exec {hand_out}<&"${HAND[0]}" {hand_in}>&"${HAND[1]}"
	read -r -t 300 answer <&"$hand_out" || fail "hand.py says nothing"
	expect_eq "$answer" ready "hand.py"
}

# ask COMMAND...: sets $answer.
ask() {
	echo "$*" >&"$hand_in"
	read -r -t 300 answer <&"$hand_out" || fail "no answer to '$*'"
}

# gets WANTED COMMAND...: that is the answer.
gets() {
	local wanted=$1
	shift
	ask "$@"
	expect_eq "$answer" "$wanted" "$*"
}

drop() {
	exec {hand_in}>&- {hand_out}<&-
	kill "$hand_pid" 2>/dev/null || true
	wait "$hand_pid" 2>/dev/null || true
}

# works K: another line, which nothing was wrong with, goes up and down; and no rule was broken.
works() {
	local level
	for level in 1 0; do
		ctl "$1" set 7 $level
		expect_eq "$(gpioget --numeric -c "$(chip "$1")" 7)" $level "line 7 of device $1"
	done
	expect_eq "$(stat "$1" violations)" 0 "rules that were broken on device $1"
}

# messages K PATTERN: how many of the driver's messages about a device match, since the mark.
messages() { log_since | grep "gpio_virtio $(virtio_name "$1")" | grep -cE "$2" || true; }

was_reset() { [ "$(state "$1" resets)" -gt "$2" ]; }
is_armed() { [ "$(ctl "$1" irq "$2")" = "$3" ]; }
answers() { gpioget -c "$(chip "$1")" 7 >/dev/null; }

# is_driven LINE LEVEL: device 0 has the line so, now.
is_driven() {
	drives 0 "$1" "$2" || fail "line $1 is '$(ctl 0 get "$1")', and not an output of $2"
}

# spoilt FAULT GET SET [FAULT GET SET]...: one reply is spoilt, to a get and then to a set. That is
# what the caller gets, and the very next call gets what it should.
spoilt() {
	clean_slate
	take 0 out 1 2
	while [ $# != 0 ]; do
		spoilt_by "$1" "$2" "$3"
		shift 3
	done
	drop
	works 0
}

spoilt_by() {
	local fault=$1 get=$2 set=$3 before

	before=$(stat 0 hostile-replies)
	ctl 0 "fault $fault"
	gets "$get" get 1
	gets 0 get 1
	ctl 0 "fault $fault"
	gets "$set" set 2=1
	gets ok set 2=1
	is_driven 2 1
	gets 1 get 2
	# One of many.
	ctl 0 "fault $fault"
	gets "$get" get 1 2
	gets "0 1" get 1 2
	gets ok set 2=0
	expect_eq $(($(stat 0 hostile-replies) - before)) 3 "replies that were spoilt"
}

test_short() {
	spoilt short EPROTO EPROTO
}

test_long() {
	spoilt long EPROTO EPROTO
}

test_empty_reply() {
	spoilt empty-reply EPROTO EPROTO
}

test_bad_type() {
	only_for_protocol rfc "a reply has no type in the standard's protocol"
	spoilt bad-type EPROTO EPROTO
}

test_bad_line() {
	only_for_protocol rfc "a reply has no line in the standard's protocol"
	spoilt bad-line EPROTO EPROTO
}

test_bad_status() {
	only_for_protocol standard "a reply has no status in the RFC's protocol"
	spoilt bad-status EPROTO EPROTO
}

test_bad_value() {
	# In the standard's protocol the value in a reply to a set means nothing.
	spoilt bad-value EPROTO "$(by_protocol EPROTO ok)"
}

test_bad_errno() {
	only_for_protocol rfc "a reply has no errno in the standard's protocol"
	spoilt bad-errno EIO EIO
}

# The standard's device cannot say why.
test_errno_passes_through() {
	local busy full
	busy=$(by_protocol EBUSY EIO)
	full=$(by_protocol ENOSPC EIO)
	spoilt "errno 16" "$busy" "$busy" "errno 28" "$full" "$full"
}

# ERESTARTSYS, EPROBE_DEFER, and one beyond all: none that user space knows.
test_errno_of_the_kernel_itself() {
	spoilt "errno 512" EIO EIO "errno 517" EIO EIO "errno 4095" EIO EIO
}

test_refuse_type() {
	clean_slate
	ctl 0 "fault refuse-type 3 95"
	consumer_fails "$(by_protocol "Operation not supported" "Input/output error")" request 0 1 both
	fails held 0 1
	is_armed 0 1 none || fail "line 1 is armed"
	ctl 0 "fault none"
	consumer request 0 1 both hard
	nudge 0 1 1
	ends_at 0 1 hard 1
	works 0
}

test_never() {
	not_with_c "$FOR_EVER"
	local resets late

	with_limit $SHORT
	clean_slate
	take 0 out 1
	resets=$(state 0 resets)
	late=$(state 0 late-replies)
	ctl 0 "fault never"
	timed ask get 1
	expect_eq "$answer" ETIMEDOUT "the one that is not answered"
	[ "$elapsed_ms" -ge $SHORT ] || fail "it waited $elapsed_ms ms only"
	expect_eq "$(stat 0 in-flight)" 1 "commands in flight"
	gets 0 get 1
	# Late, it does no harm.
	ctl 0 "fault release"
	wait_for state_is 0 late-replies $((late + 1))
	gets ok set 1=1
	gets 1 get 1
	expect_eq "$(state 0 resets)" "$resets" "resets"
	expect_eq "$(stat 0 in-flight)" 0 "commands in flight in the end"
	drop
	works 0
}

test_never_again_and_again() {
	not_with_c "$FOR_EVER"
	not_on_uml "a reset does not reach the device"
	local resets i

	with_limit $SHORT
	clean_slate
	take 0 out 1 5
	gets ok set 5=1
	resets=$(state 0 resets)
	log_mark
	ctl 0 "fault never 3"
	for i in {1..3}; do
		gets ETIMEDOUT get 1
	done
	wait_for was_reset 0 "$resets"
	# It forgot the levels, and was told again before anybody else was served.
	gets 0 get 1
	is_driven 5 1
	expect_eq "$(messages 0 "the device was reset, as it did not answer; 2 lines restored")" 1 "messages of the reset"
	expect_eq "$(stat 0 in-flight)" 0 "commands in flight"
	ctl 0 "fault release"
	gets 1 get 5
	drop
	works 0
}

test_late() {
	[ "$DRIVEN_BY" != rust ] || with_limit $LONG
	clean_slate
	take 0 out 1
	ctl 0 "fault late 300"
	timed ask get 1
	expect_eq "$answer" 0 "an answer that is late"
	[ "$elapsed_ms" -ge 300 ] || fail "it came after $elapsed_ms ms"
	drop
	works 0
}

test_out_of_order() {
	local level

	clean_slate
	take 0 in 0 1 2 3 4 5
	for level in 1 3 4; do
		ctl 0 set $level 1
	done
	ctl 0 "fault out-of-order"
	for _ in {1..50}; do
		gets "0 1 0 1 1 0" get 0 1 2 3 4 5
	done
	drop
	works 0
}

# bad_events K: all there are, each before a real one. They are refused and counted, and each of
# the real ones is delivered.
bad_events() {
	local k=$1 all bad i

	not_with_c "$NO_STATE"
	all=$(by_protocol 6 4)
	clean_slate
	consumer request "$k" 1 both hard
	bad=$(state "$k" bad-events)
	# The fault begins with the first sort each time that it is asked for.
	ctl "$k" "fault bad-event $all"
	for ((i = 1; i <= all; i++)); do
		nudge "$k" 1 $((i % 2))
		ends_at "$k" 1 hard "$i"
	done
	expect_eq $(($(state "$k" bad-events) - bad)) "$all" "events that the driver has refused"
	nudge "$k" 1 $((i % 2))
	ends_at "$k" 1 hard "$i"
	works "$k"
}

test_bad_event() {
	bad_events 1
}

test_bad_event_when_armed() {
	bad_events 0
}

# What nobody has asked for reaches nobody in the RFC's protocol: the lines are not armed.
test_stray_event() {
	local i bad

	only_for_protocol rfc "there is no buffer for such an event"
	clean_slate
	ctl 0 reset-stats
	consumer request 0 1 both hard
	bad=$(state 0 bad-events)
	log_mark
	ctl 0 "fault stray-event 8"
	for i in {1..8}; do
		nudge 0 1 $((i % 2))
	done
	ends_at 0 1 hard 8
	expect_eq "$(stat 0 stray-events)" 8 "events that nobody asked for"
	expect_eq "$(state 0 bad-events)" "$bad" "events that the driver has refused"
	expect_eq "$(messages 0 .)" 0 "messages"
	works 0
}

# A device with a buffer for each line can say that a line has fired, and nobody can tell whether
# it has. It can do so once for each time that it gets the buffer, and to this line.
test_stray_event_of_an_armed_line() {
	local i before

	only_for_protocol standard "such an event is of a line that is not armed"
	clean_slate
	consumer request 0 1 both hard
	consumer request 0 2 both hard
	before=$(stat 0 stray-events)
	for i in {1..8}; do
		ctl 0 "fault stray-event"
		nudge 0 1 $((i % 2))
		ends_at 0 1 hard "$i"
		ends_at 0 2 hard "$i"
	done

	# Its own, if there is no other.
	consumer free 0 2
	ctl 0 "fault stray-event"
	nudge 0 1 1
	ends_at 0 1 hard 10
	expect_eq $(($(stat 0 stray-events) - before)) 9 "events that nobody asked for"
	works 0
}

# The buffer of an interrupt that is being disabled comes back as if that had fired.
test_stray_event_of_a_line_that_is_disabled() {
	local i before

	only_for_protocol standard "there is no buffer to come back"
	clean_slate
	before=$(stat 0 stray-events)
	for i in {1..5}; do
		consumer request 0 1 both hard
		# The device has the buffer.
		nudge 0 1 $((i % 2))
		ends_at 0 1 hard 1
		ctl 0 "fault stray-event"
		consumer free 0 1
		# What came of it counts for nobody who has the line next.
		consumer request 0 1 both hard
		sleep 0.2
		expect_eq "$(calls 0 1 hard)" 0 "calls of the next one"
		nudge 0 1 $(((i + 1) % 2)) $((i % 2))
		wait_for calls_are 0 1 hard 2
		consumer free 0 1
	done
	expect_eq $(($(stat 0 stray-events) - before)) 5 "events that nobody asked for"
	works 0
}

# broken_by_a_reply FAULT WANTED [FAULT WANTED]...: a reply breaks the queue of commands, and the one
# whose it is gets this. The device is reset, once, and the lines are as they were.
broken_by_a_reply() {
	not_with_c "$NO_RESET"
	not_on_uml "a reset does not reach the device"
	clean_slate
	consumer request 0 3 both hard
	take 0 out 1 5
	while [ $# != 0 ]; do
		broken_by "$1" "$2"
		shift 2
	done
	drop
	works 0
}

broken_by() {
	local fault=$1 wanted=$2 resets calls

	gets ok set 1=0 5=1
	ctl 0 set 3 0
	sleep 0.5
	calls=$(calls 0 3 hard)
	resets=$(state 0 resets)
	log_mark
	ctl 0 "fault $fault"
	gets "$wanted" get 5
	wait_for was_reset 0 "$resets"
	# It may have to wait until the lines are restored.
	gets 1 get 5
	is_driven 1 0
	is_driven 5 1
	gets ok set 1=1
	is_driven 1 1
	wait_for is_armed 0 3 both
	nudge 0 3 1
	ends_at 0 3 hard $((calls + 1))
	expect_eq "$(state 0 resets)" $((resets + 1)) "resets"
	expect_eq "$(messages 0 "the device was reset, as it broke a queue; [0-9]+ lines restored")" 1 "messages of the reset"
}

# The first one of the two is what it should be.
test_duplicate() {
	broken_by_a_reply duplicate 1
}

# The right one comes too late; and each number there is of one that does not exist.
test_used_bad_id() {
	broken_by_a_reply used-bad-id EIO used-bad-id EIO used-bad-id EIO
}

# broken_by_an_event FAULT CALLS: the same for the queue of events, by the second edge. So often
# has the consumer been called then; and the third one is as good as any.
broken_by_an_event() {
	local fault=$1 wanted=$2 resets

	not_with_c "$NO_RESET"
	not_on_uml "a reset does not reach the device"
	clean_slate
	consumer request 0 3 both hard
	nudge 0 3 1
	ends_at 0 3 hard 1
	take 0 out 1 5
	gets ok set 5=1
	resets=$(state 0 resets)
	log_mark
	ctl 0 "fault $fault"
	nudge 0 3 0
	wait_for was_reset 0 "$resets"
	gets 1 get 5
	is_driven 5 1
	wait_for is_armed 0 3 both
	ends_at 0 3 hard "$wanted"
	nudge 0 3 1
	ends_at 0 3 hard $((wanted + 1))
	expect_eq "$(state 0 resets)" $((resets + 1)) "resets"
	expect_eq "$(messages 0 "the device was reset, as it broke a queue; [0-9]+ lines restored")" 1 "messages of the reset"
	drop
	works 0
}

test_duplicate_event() {
	broken_by_an_event duplicate-event 2
}

# What was not seen is inferred where the level is known from before. The standard's events do not
# say it.
test_used_bad_id_event() {
	broken_by_an_event used-bad-id-event "$(by_protocol 2 1)"
}

# One that never works again is reset no more than once a second.
test_a_queue_that_always_breaks() {
	local resets i start

	not_with_c "$NO_RESET"
	not_on_uml "a reset does not reach the device"
	clean_slate
	take 0 out 1 5
	gets ok set 5=1
	# Whoever uses it finds it broken, and many do at once.
	"$GPIO_HAMMER" --chip "$(chip 0)" --threads 3 --first 2 --requests 1000000000 >/run/hammer 2>&1 &
	helpers+=($!)
	wait_for held 0 4
	resets=$(state 0 resets)
	start=$SECONDS
	ctl 0 "fault used-bad-id always"
	for i in {1..20}; do
		gets EIO get 1
		sleep 0.2
	done
	resets=$(($(state 0 resets) - resets))
	[ $resets -le $((SECONDS - start + 2)) ] || fail "$resets resets in $((SECONDS - start)) seconds"
	ctl 0 "fault none"
	# The more often it has failed, the longer it takes until it is tried again.
	wait_long answers 0
	gets 1 get 5
	is_driven 5 1
	drop
	works 0
}

# Half of the lines are claimed at every second look, and more names than there are. A driver looks
# at each number once, and so has one of a device's numbers.
test_a_configuration_that_changes() {
	local i config

	clean_slate
	for config in "lines=8 name0=A" "lines=8 names-hex=4142" "lines=8"; do
		for i in {1..4}; do
			unbind 1
			ctl 1 "config $config label=panel changing=1" >/dev/null
			log_mark
			bind 1
			expect_match "$(gpiodetect)" "$(chip 1) [^(]*\((8|4) lines\)" "the chip with $config"
			expect_eq "$(gpioget --numeric -c "$(chip 1)" 3)" 0 "line 3"
			[ "$(messages 1 .)" -le 2 ] || fail "$(messages 1 .) messages"
		done
	done
	unbind 1
	ctl 1 "config lines=8 label=panel" >/dev/null
	bind 1
	works 1
}

test_no_lines_at_all() {
	clean_slate
	unbind 1
	ctl 1 "config lines=0 label=panel" >/dev/null
	log_mark
	bind 1 2>/dev/null || true
	expect_eq "$(chip 1)" "" "the chip"
	expect_eq "$(messages 1 .)" 1 "messages"
	expect_eq "$(messages 1 "not a GPIO device, left alone: it has no lines")" 1 "messages about the lines"
	ctl 1 "config lines=8 label=panel" >/dev/null
	bind 1
	works 1
}

# The last test: afterwards there is no second device any more.
test_crash() {
	# The new device may find the question, and answer it.
	local what='^([01]|ETIMEDOUT|EIO|ENODEV)$'

	not_with_c "$FOR_EVER"
	not_on_uml "its kernel waits for the device for ever"
	with_limit $SHORT
	take 1 out 1
	trap drop EXIT
	ctl 1 "fault crash"
	timed ask get 1
	expect_match "$answer" "$what" "the caller of a device that has died"
	# The other one works on, and so does the new device.
	works 0
	drop
	wait_for works 1
}

run_tests

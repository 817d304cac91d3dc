#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that answers late, never, or with nonsense: what callers get.

# How it is to be booted: scripts/test reads this. The second device has room for
# four commands; with ID 30 one of them is a check of a level. A device that does not
# answer is not reset here: that is what recovery.sh is about.
#guest: --device rfc,lines=9
#guest: --device rfc,lines=8,vq-size=8
#guest: --param timeout_ms=2000
#guest: --param reset_after=0

. "$(dirname -- "$0")/lib.sh"

# Tests of what happens when the time is over use the short limit. Those of what
# happens before use the long one, which a slow machine does not reach by being slow.
SHORT=2000
LONG=60000
echo $SHORT >/run/limit

# What the kernel's own driver does.
FOR_EVER="waits for ever, and so does what it keeps from ending"

# limit MS: loads the driver with another time limit, if it does not have that one.
limit() {
	[ "$DRIVEN_BY" = rust ] || return 0
	[ "$(cat /run/limit)" != "$1" ] || return 0
	rmmod gpio_virtio
	# Not modprobe: it would add what the kernel's command line says.
	insmod "$(modinfo -n gpio_virtio)" "timeout_ms=$1" reset_after=0
	echo "$1" >/run/limit
}

# get LINE: what gpioget prints, both ways.
get() { gpioget --numeric -c "$(chip 0)" "$1" 2>&1; }

# How many of a gpioget's commands have to go wrong in a row for it to get an error, and
# the next one none. In the standard the first one is GET_DIRECTION, and gpiolib goes on
# if that fails; and a bad value is one in the third only.
FEW=$(by_protocol 1 2)
ENOUGH=$(by_protocol 1 3)

# spoiled FAULT ERROR: replies are spoiled, one caller gets the error, the next one none.
spoiled() {
	local fault=$1 error=$2 output
	ctl 0 "fault $fault $ENOUGH"
	output=$(get 1) && fail "$fault: the caller got '$output'"
	expect_match "$output" "$error" "$fault"
	expect_eq "$(get 1)" 0 "the request after $fault"
}

test_an_errno_of_the_device_passes() {
	only_for_protocol rfc "a device of the standard's does not say why it refuses"
	spoiled "errno 16" "Device or resource busy"
	spoiled "errno 1" "Operation not permitted"
	spoiled "errno 133" "hardware error"
}

test_an_unknown_errno_becomes_an_io_error() {
	only_for_protocol rfc "a device of the standard's does not say why it refuses"
	spoiled "bad-errno" "Input/output error"
}

test_a_refusal_is_an_io_error() {
	only_for_protocol standard "a device of the RFC's says why it refuses"
	spoiled "errno 16" "Input/output error"
}

test_an_errno_of_the_kernel_itself_does_not_pass() {
	# 512 is ERESTARTSYS: the kernel would start the system call again, for ever.
	spoiled "errno 512" "Input/output error"
}

test_broken_replies_are_protocol_errors() {
	local fault
	# Which parts of a reply there are that can be wrong.
	for fault in short long empty-reply $(by_protocol "bad-type bad-line bad-value" "bad-status bad-value"); do
		spoiled "$fault" "Protocol error"
	done
}

# Whether there is a message about an error.
complains() {
	fails get 1 >/dev/null
	log_since | grep -q "gpio_virtio $(virtio_name 0)"
}

test_messages_are_limited() {
	local i lines allowed start=$SECONDS
	log_mark
	ctl 0 "fault $(by_protocol bad-line bad-status) always"
	# The test before may have had all there can be for now.
	wait_for complains
	for ((i = 0; i < 200; i++)); do
		fails get 1 >/dev/null
	done
	ctl 0 "fault none"
	lines=$(log_since | grep -c "gpio_virtio $(virtio_name 0)")
	# Ten in five seconds; however slow this machine is.
	allowed=$((((SECONDS - start) / 5 + 2) * 10))
	[ "$lines" -le "$allowed" ] || fail "$lines messages for 200 errors"
}

test_no_answer_ends_in_a_time_out() {
	not_with_c "$FOR_EVER"
	limit $SHORT
	log_mark
	# The other device: about this one there were too many messages just now.
	ctl 1 "fault never $FEW"
	timed gpioget -c "$(chip 1)" 2
	[ "$status" != 0 ] || fail "the caller got a value"
	[ "$elapsed_ms" -ge $SHORT ] || fail "the caller waited $elapsed_ms ms only"
	expect_match "$(log_since)" "did not answer" "the kernel's log"
	ctl 1 "fault release"
	expect_eq "$(gpioget --numeric -c "$(chip 1)" 2)" 0 "line 2 after the late answer"
}

test_the_error_is_etimedout() {
	not_with_c "$FOR_EVER"
	limit $SHORT
	ctl 0 "fault never $FEW"
	expect_match "$(get 2 || true)" "timed out" "gpioget"
	ctl 0 "fault release"
}

test_who_waits_can_be_killed() {
	not_with_c "$FOR_EVER"
	local pid start
	limit $LONG
	ctl 0 "fault never 1"
	gpioget -c "$(chip 0)" 3 &
	pid=$!
	wait_for in_flight 0 1
	start=${EPOCHREALTIME/./}
	kill -KILL $pid
	wait $pid || true
	[ $(((${EPOCHREALTIME/./} - start) / 1000)) -lt $LONG ] || fail "it died when the time was over"
	ctl 0 "fault release"
	expect_eq "$(get 3)" 0 "line 3"
}

test_others_go_on_while_one_waits() {
	local pid
	limit $LONG
	ctl 0 "fault never 1"
	gpioget -c "$(chip 0)" 3 &
	pid=$!
	wait_for in_flight 0 1
	ctl 0 set 4 1
	expect_eq "$(get 4)" 1 "line 4 while line 3 is stuck"
	ctl 0 set 4 0
	kill -0 $pid || fail "the stuck one did not wait"
	ctl 0 "fault release"
	wait $pid
}

# One that is given back has to be told to the device, and who gives it back waits for that.
test_others_go_on_while_one_is_given_back() {
	only_for_protocol standard "there is no message for it"
	not_with_c "$FOR_EVER"
	limit $LONG
	hold 0 3=1
	ctl 0 "fault never 1"
	kill "${holders[@]}"
	wait_for in_flight 0 1
	timed get 4
	expect_eq "$status" 0 "status of who uses another line"
	[ "$elapsed_ms" -lt $LONG ] || fail "who uses another line waited $elapsed_ms ms"
	kill -0 "${holders[0]}" || fail "who gives the line back did not wait"
	ctl 0 "fault release"
	let_go
}

test_an_answer_minutes_late_does_no_harm() {
	not_with_c "$FOR_EVER"
	local i
	limit $SHORT
	# Many slots are given up, used by nobody meanwhile, and come back all at once.
	ctl 0 "fault never $((8 * FEW))"
	for ((i = 0; i < 8; i++)); do
		gpioget -c "$(chip 0)" $i &
	done
	fails wait -n
	wait || true
	[ "$(stat 0 in-flight)" -ge $((8 * FEW)) ] || fail "$(stat 0 in-flight) commands are in flight only"
	# In the standard the answers about one line keep their order: the last one is free.
	ctl 0 set 8 1
	expect_eq "$(get 8)" 1 "line 8 before the late answers"
	ctl 0 "fault release"
	ctl 0 set 8 0
	expect_eq "$(get 8)" 0 "line 8 after the late answers"
	ctl 0 set 5 1
	expect_eq "$(get 5)" 1 "line 5 after the late answers"
	ctl 0 set 5 0
	expect_eq "$(stat 0 in-flight)" 0 "commands in flight"
}

test_replies_may_come_in_any_order() {
	local i pids=()
	ctl 0 "fault out-of-order"
	for ((i = 0; i < 8; i++)); do
		ctl 0 set $i $((i % 2))
	done
	for ((i = 0; i < 8; i++)); do
		(expect_eq "$(get $i)" $((i % 2)) "line $i") &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i"
	done
	ctl 0 "fault none"
	for ((i = 0; i < 8; i++)); do
		ctl 0 set $i 0
	done
}

test_an_answer_of_many_is_lost() {
	not_with_c "$FOR_EVER"
	limit $SHORT
	"$(dirname -- "$0")/many-lines.py" "$(chip 0)" 0 lost
	limit $LONG
}

test_others_go_on_while_many_wait() {
	not_with_c "$FOR_EVER"
	not_on_uml "no queue is as small as this needs"
	local pid
	limit $LONG
	# A call with more lines than this device has room for, stuck in the middle of it.
	"$(dirname -- "$0")/many-lines.py" "$(chip 1)" 1 stuck &
	pid=$!
	wait_for in_flight 1 1
	expect_eq "$(gpioget --numeric -c "$(chip 1)" 7)" 0 "line 7"
	kill -0 $pid || fail "the stuck one did not wait"
	ctl 1 "fault release"
	wait $pid
}

test_no_free_slot_means_to_wait_for_one() {
	not_on_uml "no queue is as small as this needs"
	# This device has room for few commands: the other callers wait for a slot.
	ctl 1 "fault late 50 always"
	"$GPIO_HAMMER" --chip "$(chip 1)" --threads 8 --lines 8 --requests 20
	ctl 1 "fault none"
}

test_no_free_slot_for_long_is_a_time_out() {
	not_with_c "$FOR_EVER"
	not_on_uml "no queue is as small as this needs"
	local i slots
	limit $SHORT
	slots=$(by_protocol 3 4)
	ctl 1 "fault never $slots"
	for ((i = 0; i < slots; i++)); do
		gpioget -c "$(chip 1)" $i &
	done
	wait_for in_flight 1 "$slots"
	# They all give up, but their slots stay the device's.
	wait || true
	timed gpioget -c "$(chip 1)" 5
	[ "$status" != 0 ] || fail "the caller got a value, without a slot"
	[ "$elapsed_ms" -ge $SHORT ] || fail "the caller waited $elapsed_ms ms only"
	ctl 1 "fault release"
	expect_eq "$(gpioget --numeric -c "$(chip 1)" 5)" 0 "line 5 when the slots are back"
}

test_unbind_does_not_wait_for_a_dead_device() {
	not_with_c "$FOR_EVER"
	limit $LONG
	ctl 0 "fault never always"
	gpioget -c "$(chip 0)" 3 &
	gpioget -c "$(chip 0)" 4 &
	wait_for in_flight 0 2
	timed unbind 0
	expect_eq "$status" 0 "unbind"
	[ "$elapsed_ms" -lt $LONG ] || fail "unbind waited until the time was over"
	fails wait -n
	wait || true
	ctl 0 "fault none"
	bind 0
	expect_eq "$(get 3)" 0 "line 3 after all that"
}

test_probe_of_a_dead_device_ends() {
	not_with_c "$FOR_EVER"
	limit $SHORT
	unbind 0
	ctl 0 "fault never always"
	timed bind 0
	[ "$status" != 0 ] || fail "a dead device was bound"
	# One time limit, not one for each of the eight lines.
	[ "$elapsed_ms" -lt $((SHORT * 8)) ] || fail "probe took $elapsed_ms ms"
	ctl 0 "fault none"
	bind 0
	expect_eq "$(get 3)" 0 "line 3"
}

# What the device counts too is the same there.
test_broken_and_late_replies_are_counted() {
	not_with_c "has no such file"
	local slots out
	limit $SHORT
	unbind 0
	ctl 0 reset-stats
	bind 0
	expect_eq "$(state 0 state)" running "state"
	expect_eq "$(state 0 requests)" "$(stat 0 requests)" "requests of a probe"
	slots=$(state 0 slots)
	expect_eq "$(state 0 free-slots)" "$slots" "free slots"

	ctl 0 "fault short $ENOUGH"
	fails get 1
	expect_eq "$(state 0 bad-replies)" "$ENOUGH" "bad replies"
	expect_eq "$(state 0 refused-requests)" 0 "refused requests"
	ctl 0 "fault errno 16 $ENOUGH"
	fails get 1
	expect_eq "$(state 0 bad-replies)" "$ENOUGH" "bad replies, and no more"
	expect_eq "$(state 0 refused-requests)" "$ENOUGH" "refused requests"
	expect_eq "$(state 0 time-outs)" 0 "time-outs"

	ctl 0 "fault never $FEW"
	fails get 2
	out=$(stat 0 in-flight)
	[ "$out" -ge "$FEW" ] || fail "$out commands are in flight only"
	expect_eq "$(state 0 time-outs)" "$out" "time-outs"
	expect_eq "$(state 0 free-slots)" $((slots - out)) "slots that are not the device's"
	expect_eq "$(state 0 late-replies)" 0 "late replies before they come"
	ctl 0 "fault release"
	wait_for state_is 0 late-replies "$out"
	expect_eq "$(state 0 free-slots)" "$slots" "free slots in the end"
	expect_eq "$(state 0 requests)" "$(stat 0 requests)" "requests in all"
}

test_late_replies_are_traced_too() {
	not_with_c "has no trace events"
	local kind written
	limit $SHORT
	kind=$(by_protocol 0x5 0x4)
	written=$(by_protocol 8 2)
	trace_on
	ctl 0 set 1 1
	expect_eq "$(get 1)" 1 "line 1"
	traced gpio_virtio_request 0 "line 1 kind $kind value 0" 1
	traced gpio_virtio_reply 0 "line 1 kind $kind written $written outcome 1" 1
	ctl 0 set 1 0

	# What the caller gets, and why: EPROTO; EBUSY, or EIO.
	ctl 0 "fault empty-reply $ENOUGH"
	fails get 1
	traced gpio_virtio_reply 0 "line 1 kind .* written 0 outcome -71" "$ENOUGH"
	ctl 0 "fault errno 16 $ENOUGH"
	fails get 1
	traced gpio_virtio_reply 0 "line 1 kind .* outcome -$(by_protocol 16 5)" "$ENOUGH"

	ctl 0 "fault never $FEW"
	fails get 2
	# In the standard the line is given back, and that is answered.
	traced gpio_virtio_reply 0 "line 2 .*" "$(by_protocol 0 1)"
	ctl 0 "fault release"
	expect_eq "$(get 2)" 0 "line 2 after the late answer"
	trace_off
	# Each has a reply, and nothing else was in between.
	expect_eq "$(grep -c gpio_virtio_reply: $TRACING/trace)" \
		"$(grep -c gpio_virtio_request: $TRACING/trace)" "replies"
}

run_tests

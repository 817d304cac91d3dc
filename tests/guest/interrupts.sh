#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Interrupts of lines: what gpiomon and consumers in the kernel get from a device that
#: reports everything, and from one that is told what to report.
#: TEST_GPIOMON is how often gpiomon is started (100), TEST_UNBINDS how often a device
#: is unbound while its interrupts come (10).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel
#guest: --device rfc,lines=8,label=armed,irq-type

. "$(dirname -- "$0")/lib-irq.sh"

# What SET_IRQ_TYPE says in numbers.
BOTH=3
HIGH=4
# EOPNOTSUPP: an error that nobody but the device gives. (The standard's cannot say why.)
REFUSAL=95
REFUSED=$(by_protocol "Operation not supported" "Input/output error")

# What the kernel's own driver does when a handler disables its interrupt.
WAITS_IN_AN_INTERRUPT="waits for the device in hard interrupt context, for ever"

# armed_for K LINE TYPE: the device reports what it has to. Without the feature that is
# everything, always; the standard has no such devices.
armed_for() {
	local wanted=$3
	[ "$1" = 1 ] || wanted=$(by_protocol all "$3")
	expect_eq "$(ctl "$1" irq "$2")" "$wanted" "what line $2 of device $1 is armed for"
}

gpiomon_prints_edges() {
	local k=$1

	clean_slate
	monitor "$k" 3 --edges both
	nudge "$k" 3 1
	monitor_says "3 rising"
	nudge "$k" 3 0
	monitor_says "3 falling"
	# Another line is none of its business.
	nudge "$k" 4 1 0
	nudge "$k" 3 1
	monitor_says "3 rising"
	nudge "$k" 3 0
	monitor_says "3 falling"
	stop_monitor

	monitor "$k" 3 --edges rising
	nudge "$k" 3 1
	monitor_says "3 rising"
	nudge "$k" 3 0 1
	monitor_says "3 rising"
	nudge "$k" 3 0
	stop_monitor

	monitor "$k" 3 --edges falling
	nudge "$k" 3 1 0
	monitor_says "3 falling"
	nudge "$k" 3 1 0
	monitor_says "3 falling"
	stop_monitor
}

test_gpiomon_prints_edges() {
	gpiomon_prints_edges 0
}

test_gpiomon_prints_edges_when_armed() {
	gpiomon_prints_edges 1
}

gpiomon_watches_several_lines() {
	local k=$1 line

	clean_slate
	exec {monitor}< <(exec gpiomon --banner --format "%o %E" -c "$(chip "$k")" 0 1 7)
	helpers+=($!)
	read -r -t 60 <&"$monitor"
	for line in 7 0 1; do
		nudge "$k" $line 1
		monitor_says "$line rising"
		nudge "$k" $line 0
		monitor_says "$line falling"
	done
}

test_gpiomon_watches_several_lines() {
	gpiomon_watches_several_lines 0
}

test_gpiomon_watches_several_lines_when_armed() {
	gpiomon_watches_several_lines 1
}

gpiomon_starts_and_stops() {
	local k=$1 i status level=0

	clean_slate
	for ((i = 0; i < ${TEST_GPIOMON:-100}; i++)); do
		level=$((1 - level))
		if [ $((i % 2)) = 0 ]; then
			monitor "$k" 2 --num-events 1
			nudge "$k" 2 $level
			status=0
			wait "$monitor_pid" || status=$?
			expect_eq $status 0 "status of gpiomon number $i"
			monitor_says "2 rising"
			exec {monitor}<&-
		else
			monitor "$k" 2
			nudge "$k" 2 $level
			monitor_says "2 falling"
			stop_monitor
		fi
	done
	armed_for "$k" 2 none
}

test_gpiomon_starts_and_stops() {
	gpiomon_starts_and_stops 0
}

test_gpiomon_starts_and_stops_when_armed() {
	gpiomon_starts_and_stops 1
}

edges_are_counted() {
	local k=$1 line

	clean_slate
	consumer request "$k" 1 rising
	consumer request "$k" 2 falling
	consumer request "$k" 3 both
	for line in 1 2 3; do
		expect_eq "$(calls "$k" $line hard)" 0 "calls before there are edges"
		nudge "$k" $line 1 0 1
	done
	armed_for "$k" 1 rising
	armed_for "$k" 2 falling
	armed_for "$k" 3 both
	ends_at "$k" 1 hard 2
	ends_at "$k" 2 hard 1
	ends_at "$k" 3 hard 3

	consumer free "$k" 1
	consumer free "$k" 2
	consumer free "$k" 3
	armed_for "$k" 1 none
	armed_for "$k" 2 none
	armed_for "$k" 3 none
}

test_edges_are_counted() {
	edges_are_counted 0
}

test_edges_are_counted_when_armed() {
	edges_are_counted 1
}

# The handler runs in hard interrupt context, and a thread after it in a thread.
handlers_run_where_they_should() {
	local k=$1

	clean_slate
	consumer request "$k" 1 both hard no-thread
	consumer request "$k" 2 both threaded
	nudge "$k" 1 1
	nudge "$k" 2 1
	ends_at "$k" 1 hard 1
	called_in_an_interrupt "$k" 1
	ends_at "$k" 2 thread 1
	expect_eq "$(calls "$k" 2 hard)" 0 "hard calls of the threaded one"
	expect_eq "$(calls "$k" 2 last)" 1 "the level that the thread read"
}

test_handlers_run_where_they_should() {
	handlers_run_where_they_should 0
}

test_handlers_run_where_they_should_when_armed() {
	handlers_run_where_they_should 1
}

# An output clears the level in the third call of the handler: there is no fourth one.
levels_fire_until_cleared() {
	local k=$1 type active

	clean_slate
	for type in high low; do
		active=$([ $type = high ] && echo 1 || echo 0)
		# An input: the wire takes over when it becomes an output.
		gpioget -c "$(chip "$k")" 5 >/dev/null
		ctl "$k" wire 5 6
		nudge "$k" 6 $((1 - active))
		# It is taken with the level that is active, so the first call comes at once.
		consumer request "$k" 6 $type threaded clear=5:$((1 - active)):3
		armed_for "$k" 6 $type
		ends_at "$k" 6 thread 3
		expect_eq "$(calls "$k" 6 last)" "$active" "the level in the last call"
		expect_match "$(ctl "$k" get 6)" "^in $((1 - active))" "the level in the end"
		consumer free "$k" 6
		armed_for "$k" 6 none
		ctl "$k" unwire 5
	done
}

test_levels_fire_until_cleared() {
	levels_fire_until_cleared 0
}

test_levels_fire_until_cleared_when_armed() {
	levels_fire_until_cleared 1
}

# The same level again and again, each time by a change from outside.
levels_fire_each_time() {
	local k=$1 i

	clean_slate
	consumer request "$k" 6 high hold threaded
	for i in 1 2 3; do
		nudge "$k" 6 1
		wait_for calls_are "$k" 6 thread $i
		# The line is masked as long as the thread is held, so this ends it.
		nudge "$k" 6 0
		consumer release "$k" 6
		ends_at "$k" 6 thread $i
	done
}

test_levels_fire_each_time() {
	levels_fire_each_time 0
}

test_levels_fire_each_time_when_armed() {
	levels_fire_each_time 1
}

# A level that is there already fires at once, an edge that was there before does not.
levels_fire_at_once() {
	not_with_c "$WAITS_IN_AN_INTERRUPT"
	local k=$1 type

	clean_slate
	nudge "$k" 3 1
	consumer request "$k" 3 high hard nosync=1
	ends_at "$k" 3 hard 1
	consumer free "$k" 3
	for type in rising falling both; do
		consumer request "$k" 3 $type
		ends_at "$k" 3 hard 0
		consumer free "$k" 3
	done
	consumer request "$k" 3 low hard nosync=1
	ends_at "$k" 3 hard 0
	nudge "$k" 3 0
	ends_at "$k" 3 hard 1
	consumer free "$k" 3
	consumer request "$k" 3 low hard nosync=1
	ends_at "$k" 3 hard 1
}

test_levels_fire_at_once() {
	levels_fire_at_once 0
}

test_levels_fire_at_once_when_armed() {
	levels_fire_at_once 1
}

# Edges that come while the line is masked are one call, later.
masked_edges_come_once() {
	local k=$1

	clean_slate
	consumer request "$k" 3 rising threaded hold
	nudge "$k" 3 1
	wait_for calls_are "$k" 3 thread 1
	# One edge meanwhile.
	nudge "$k" 3 0 1
	ends_at "$k" 3 thread 1
	consumer release "$k" 3
	wait_for calls_are "$k" 3 thread 2
	# Five edges meanwhile.
	nudge "$k" 3 0 1 0 1 0 1 0 1 0 1
	ends_at "$k" 3 thread 2
	consumer release "$k" 3
	wait_for calls_are "$k" 3 thread 3
	# None of them.
	consumer release "$k" 3
	ends_at "$k" 3 thread 3
	# And all is as before.
	nudge "$k" 3 0 1
	wait_for calls_are "$k" 3 thread 4
	consumer release "$k" 3
	ends_at "$k" 3 thread 4
}

test_masked_edges_come_once() {
	masked_edges_come_once 0
}

test_masked_edges_come_once_when_armed() {
	masked_edges_come_once 1
}

disabled_edges_are_discarded() {
	local k=$1 how key

	clean_slate
	for how in hard threaded; do
		key=${how%ed}
		consumer request "$k" 3 rising $how
		nudge "$k" 3 1
		ends_at "$k" 3 "$key" 1
		consumer disable "$k" 3
		nudge "$k" 3 0 1 0 1 0
		consumer enable "$k" 3
		ends_at "$k" 3 "$key" 1
		nudge "$k" 3 1
		ends_at "$k" 3 "$key" 2
		consumer free "$k" 3
		nudge "$k" 3 0
	done
}

test_disabled_edges_are_discarded() {
	disabled_edges_are_discarded 0
}

test_disabled_edges_are_discarded_when_armed() {
	disabled_edges_are_discarded 1
}

# A level that came while the interrupt was disabled fires when it is enabled, one that
# came and went does not.
disabled_levels_fire_when_enabled() {
	not_with_c "$WAITS_IN_AN_INTERRUPT"
	local k=$1

	clean_slate
	consumer request "$k" 3 high hard nosync=1
	consumer disable "$k" 3
	nudge "$k" 3 1 0
	consumer enable "$k" 3
	ends_at "$k" 3 hard 0
	consumer disable "$k" 3
	nudge "$k" 3 1
	ends_at "$k" 3 hard 0
	consumer enable "$k" 3
	ends_at "$k" 3 hard 1
}

test_disabled_levels_fire_when_enabled() {
	disabled_levels_fire_when_enabled 0
}

test_disabled_levels_fire_when_enabled_when_armed() {
	disabled_levels_fire_when_enabled 1
}

# A handler may disable its own interrupt: in hard interrupt context, without a wait.
handlers_can_disable_their_interrupt() {
	not_with_c "$WAITS_IN_AN_INTERRUPT"
	local k=$1

	clean_slate
	consumer request "$k" 3 both hard nosync=2
	nudge "$k" 3 1
	ends_at "$k" 3 hard 1
	nudge "$k" 3 0
	ends_at "$k" 3 hard 2
	nudge "$k" 3 1 0
	ends_at "$k" 3 hard 2
	consumer enable "$k" 3
	ends_at "$k" 3 hard 2
	nudge "$k" 3 1
	ends_at "$k" 3 hard 3
}

test_handlers_can_disable_their_interrupt() {
	handlers_can_disable_their_interrupt 0
}

test_handlers_can_disable_their_interrupt_when_armed() {
	handlers_can_disable_their_interrupt 1
}

# fired_again K LINE N: there were more than N calls.
fired_again() { [ "$(calls "$1" "$2" hard)" -gt "$3" ]; }

# A level that is still there when the handler's interrupt is enabled again fires, though
# the device was never told that it was off.
levels_fire_when_enabled_again() {
	not_with_c "$WAITS_IN_AN_INTERRUPT"
	local k=$1 calls

	clean_slate
	consumer request "$k" 3 high hard nosync=1
	nudge "$k" 3 1
	ends_at "$k" 3 hard 1
	consumer enable "$k" 3
	wait_for fired_again "$k" 3 1
	nudge "$k" 3 0
	calls=$(calls "$k" 3 hard)
	sleep 0.4
	expect_eq "$(calls "$k" 3 hard)" "$calls" "calls when the level is gone"
	nudge "$k" 3 1
	wait_for fired_again "$k" 3 "$calls"
}

test_levels_fire_when_enabled_again() {
	levels_fire_when_enabled_again 0
}

test_levels_fire_when_enabled_again_when_armed() {
	levels_fire_when_enabled_again 1
}

# The interrupt that was just coming when its consumer went is not the next one's.
nothing_is_left_for_the_next_consumer() {
	local k=$1 i

	clean_slate
	nudge "$k" 3 1
	for ((i = 0; i < 30; i++)); do
		# It comes all the time.
		consumer request "$k" 3 high hard
		wait_for fired_again "$k" 3 0
		consumer free "$k" 3
		consumer request "$k" 3 rising hard
		sleep 0.05
		expect_eq "$(calls "$k" 3 hard)" 0 "calls without an edge, in round $i"
		consumer free "$k" 3
	done
}

test_nothing_is_left_for_the_next_consumer() {
	nothing_is_left_for_the_next_consumer 0
}

test_nothing_is_left_for_the_next_consumer_when_armed() {
	nothing_is_left_for_the_next_consumer 1
}

# Another type, without giving the interrupt back.
types_can_be_changed() {
	local k=$1

	clean_slate
	consumer request "$k" 3 rising
	nudge "$k" 3 1 0
	ends_at "$k" 3 hard 1
	consumer type "$k" 3 falling
	armed_for "$k" 3 falling
	nudge "$k" 3 1
	ends_at "$k" 3 hard 1
	nudge "$k" 3 0
	ends_at "$k" 3 hard 2
	consumer type "$k" 3 both
	armed_for "$k" 3 both
	# One by one: a buffer that comes back late is not there for a while.
	nudge "$k" 3 1
	ends_at "$k" 3 hard 3
	nudge "$k" 3 0
	ends_at "$k" 3 hard 4
	consumer free "$k" 3
	armed_for "$k" 3 none
}

test_types_can_be_changed() {
	types_can_be_changed 0
}

test_types_can_be_changed_when_armed() {
	types_can_be_changed 1
}

# Two consumers of one line, as devicetree allows it.
interrupts_can_be_shared() {
	local k=$1

	clean_slate
	consumer request "$k" 3 both hard irq-only shared
	consumer request "$k" 3 both hard irq-only shared
	nudge "$k" 3 1
	ends_at "$k" 3 hard 1
	consumer free "$k" 3
	nudge "$k" 3 0
	# This is the one that came first.
	ends_at "$k" 3 hard 2
	consumer free "$k" 3
	armed_for "$k" 3 none
}

test_interrupts_can_be_shared() {
	interrupts_can_be_shared 0
}

test_interrupts_can_be_shared_when_armed() {
	interrupts_can_be_shared 1
}

interrupts_cannot_be_outputs() {
	local k=$1

	clean_slate
	# By the interrupt alone, so that gpioset gets as far as the direction.
	consumer request "$k" 3 both irq-only
	fails gpioset -t0 -c "$(chip "$k")" 3=1
	consumer free "$k" 3
	consumer request "$k" 3 both
	fails gpioset -t0 -c "$(chip "$k")" 3=1
	consumer_fails "Input/output error" output "$k" 3 1
	expect_match "$(ctl "$k" get 3)" "^in 0" "line 3"
	# The one who has the interrupt has not lost it.
	nudge "$k" 3 1
	ends_at "$k" 3 hard 1
	consumer free "$k" 3

	# When nobody has its interrupt.
	hold "$k" 3=1
	let_go
	gpioget -c "$(chip "$k")" 3 >/dev/null
}

test_interrupts_cannot_be_outputs() {
	interrupts_cannot_be_outputs 0
}

test_interrupts_cannot_be_outputs_when_armed() {
	interrupts_cannot_be_outputs 1
}

outputs_cannot_be_interrupts() {
	local k=$1 holder

	clean_slate
	gpioset -c "$(chip "$k")" 4=1 &
	holder=$!
	helpers+=("$holder")
	# Not just requested: that comes before it is an output.
	wait_for is_output "$k" 4
	consumer_fails "Input/output error" request "$k" 4 rising irq-only
	consumer_fails "Device or resource busy" request "$k" 4 rising
	fails gpiomon --idle-timeout 1s -c "$(chip "$k")" 4
	armed_for "$k" 4 none
	expect_match "$(ctl "$k" get 4)" "^out 1" "line 4"
	kill $holder
	wait $holder || true

	# It is an output still, but an input for who asks for one.
	consumer_fails "Input/output error" request "$k" 4 rising irq-only
	nudge "$k" 4 0
	consumer request "$k" 4 rising
	nudge "$k" 4 1
	ends_at "$k" 4 hard 1
	consumer free "$k" 4
	consumer request "$k" 4 rising irq-only
	nudge "$k" 4 0 1
	ends_at "$k" 4 hard 1
}

test_outputs_cannot_be_interrupts() {
	outputs_cannot_be_interrupts 0
}

test_outputs_cannot_be_interrupts_when_armed() {
	outputs_cannot_be_interrupts 1
}

# about_interrupt IRQ WHAT WANTED: what sysfs says, if the kernel has that.
about_interrupt() {
	[ ! -d /sys/kernel/irq ] || expect_eq "$(cat "/sys/kernel/irq/$1/$2")" "$3" "$2 of interrupt $1"
}

interrupts_are_listed() {
	local k=$1 type flow irq

	clean_slate
	for type in rising falling both high; do
		consumer request "$k" 3 $type
		expect_match "$(interrupt "$k" 3)" " $(virtio_name "$k") +3 .* gpio-irq-consumer$" "/proc/interrupts"
		irq=$(interrupt "$k" 3)
		irq=$((${irq%%:*}))
		flow=$([ $type = high ] && echo level || echo edge)
		# Few architectures have it in /proc/interrupts.
		about_interrupt "$irq" type "$flow"
		about_interrupt "$irq" hwirq 3
		about_interrupt "$irq" actions gpio-irq-consumer

		consumer wake "$k" 3 1
		about_interrupt "$irq" wakeup enabled
		consumer wake "$k" 3 0
		about_interrupt "$irq" wakeup disabled
		consumer free "$k" 3
		fails is_interrupt "$k" 3
	done
}

test_interrupts_are_listed() {
	interrupts_are_listed 0
}

test_interrupts_are_listed_when_armed() {
	interrupts_are_listed 1
}

test_the_device_is_told_what_to_report() {
	local type

	clean_slate
	[ "$PROTOCOL" != rfc ] || expect_eq "$(ctl 0 irq 2)" all "what the device without the feature reports"
	for type in rising falling both high; do
		expect_eq "$(ctl 1 irq 2)" none "before there is a consumer"
		consumer request 1 2 $type
		expect_eq "$(ctl 1 irq 2)" $type "with a consumer"
		consumer free 1 2
		expect_eq "$(ctl 1 irq 2)" none "after the consumer"
	done
	nudge 1 2 1
	consumer request 1 2 low
	expect_eq "$(ctl 1 irq 2)" low "with a consumer"
	# What nobody waits for is not sent.
	ctl 1 reset-stats
	nudge 1 3 1 0 1
	expect_eq "$(stat 1 events)" 0 "events of lines that are not armed"
}

test_a_refused_type_fails_the_request() {
	clean_slate
	# What the device has accepted before does not matter.
	consumer request 1 3 high hard nosync=1
	consumer free 1 3
	consumer request 1 2 both
	nudge 1 2 1
	ends_at 1 2 hard 1

	ctl 1 "fault refuse-type $HIGH $REFUSAL"
	consumer_fails "$REFUSED" request 1 3 high
	expect_eq "$(ctl 1 irq 3)" none "what line 3 is armed for"
	expect_match "$(ctl 1 get 3)" "^$IDLE 0" "line 3"
	fails held 1 3
	fails is_interrupt 1 3
	consumer_fails "$REFUSED" request 1 3 high irq-only
	expect_eq "$(ctl 1 irq 3)" none "what line 3 is armed for"

	# Another type works at once, and so does the one who has another line.
	consumer request 1 3 rising
	nudge 1 3 1
	ends_at 1 3 hard 1
	nudge 1 2 0
	ends_at 1 2 hard 2
	consumer free 1 3

	ctl 1 "fault none"
	nudge 1 3 0
	consumer request 1 3 high hard nosync=1
	nudge 1 3 1
	ends_at 1 3 hard 1
}

test_gpiomon_prints_why_it_was_refused() {
	local output

	clean_slate
	ctl 1 "fault refuse-type $BOTH $REFUSAL"
	output=$(gpiomon --idle-timeout 1s -c "$(chip 1)" 3 2>&1) && fail "gpiomon worked"
	expect_match "$output" "$REFUSED" "gpiomon"
	expect_eq "$(ctl 1 irq 3)" none "what line 3 is armed for"
	fails held 1 3
	ctl 1 "fault none"
	monitor 1 3
	nudge 1 3 1
	monitor_says "3 rising"
}

# three_edges K: gpiomon sees them, and the device sends two malformed events among them.
three_edges() {
	ctl "$1" reset-stats
	ctl "$1" "fault bad-event 2"
	nudge "$1" 3 1
	monitor_says "3 rising"
	nudge "$1" 3 0
	monitor_says "3 falling"
	nudge "$1" 3 1
	monitor_says "3 rising"
	expect_eq "$(stat "$1" bad-events)" 2 "malformed events sent"
}

events_are_counted() {
	local k=$1 events bad fired merged

	not_with_c "has no such file"
	clean_slate
	monitor "$k" 3 --edges both
	events=$(state "$k" events)
	bad=$(state "$k" bad-events)
	fired=$(state "$k" interrupts)
	merged=$(state "$k" merged-edges)
	three_edges "$k"
	expect_eq "$(state "$k" events)" $((events + 3)) "events"
	expect_eq "$(state "$k" bad-events)" $((bad + 2)) "malformed events"
	expect_eq "$(state "$k" interrupts)" $((fired + 3)) "interrupts"
	expect_eq "$(state "$k" merged-edges)" "$merged" "merged edges"
	stop_monitor
}

test_events_are_counted() {
	events_are_counted 0
}

test_events_are_counted_when_armed() {
	events_are_counted 1
}

events_are_traced() {
	local k=$1 high low

	not_with_c "has no trace events"
	clean_slate
	monitor "$k" 3 --edges both
	trace_on
	three_edges "$k"
	trace_off
	# The standard's events do not say which level it is.
	high=$(by_protocol 2 3)
	low=$(by_protocol 1 0)
	traced gpio_virtio_event "$k" "line 3 written $(by_protocol 8 1) value 1 accepted" "$high"
	traced gpio_virtio_event "$k" "line 3 written $(by_protocol 8 1) value 0 accepted" "$low"
	traced gpio_virtio_event "$k" "line .* refused" 2
	stop_monitor
}

test_events_are_traced() {
	events_are_traced 0
}

test_events_are_traced_when_armed() {
	events_are_traced 1
}

# unbind_in_a_burst K: the chip goes while its lines have consumers and edges come.
unbind_in_a_burst() {
	local k=$1 i line

	not_on_uml "a reset does not stop the device"
	clean_slate
	for ((i = 0; i < ${TEST_UNBINDS:-10}; i++)); do
		consumer request "$k" 0 both hard
		consumer request "$k" 1 both threaded
		gpiomon --banner -c "$(chip "$k")" 2 >/run/monitor 2>&1 &
		monitor_pid=$!
		helpers+=("$monitor_pid")
		wait_for grep -q Monitoring /run/monitor
		# Two seconds of it.
		for line in 0 1 2; do
			ctl "$k" burst $line 10000 5000
		done
		wait_for grep -qE 'rising|falling' /run/monitor

		timed unbind "$k"
		expect_eq "$status" 0 "unbind"
		[ "$elapsed_ms" -lt 60000 ] || fail "unbind took $elapsed_ms ms"
		expect_eq "$(chip "$k")" "" "chip"
		# gpiomon has to be gone before there are interrupts again: gpiolib frees that
		# of a line by its number when the file is closed, whosesoever it is by then.
		wait_for is_gone $monitor_pid
		wait $monitor_pid && fail "gpiomon says that all is well"
		# Half of the rounds leave this for later.
		[ $((i % 2)) = 0 ] || echo all >"$CONSUMER/free"

		bind "$k"
		consumer request "$k" 4 both
		nudge "$k" 4 1
		ends_at "$k" 4 hard 1
		nudge "$k" 4 0
		ends_at "$k" 4 hard 2
		# The edges of the old lines still come.
		consumer request "$k" 0 both
		monitor "$k" 2 --num-events 1
		wait_long bursts_are "$k" 0
		nudge "$k" 0 0 1 0
		nudge "$k" 2 0 1 0
		wait "$monitor_pid"
		exec {monitor}<&-
		[ "$(calls "$k" 0 hard)" -ge 2 ] || fail "no edges on line 0 after the bind"
		armed_for "$k" 0 both
		armed_for "$k" 1 none
		armed_for "$k" 2 none

		echo all >"$CONSUMER/free"
	done
}

test_unbind_in_a_burst() {
	unbind_in_a_burst 0
}

test_unbind_in_a_burst_when_armed() {
	unbind_in_a_burst 1
}

# gpiolib keeps what a line is in one word. It must not have an old one at hand while the device is asked
# for the direction: that the line is an interrupt would be lost, and with it all that hangs by that.
test_a_line_stays_an_interrupt_while_its_direction_is_asked_for() {
	local pid complaints
	only_for_protocol standard "the first message about a line is another one"
	not_with_c "waits for ever"
	clean_slate
	log_mark
	ctl 0 "fault never 1"
	gpioget -c "$(chip 0)" 3 >/dev/null 2>&1 &
	pid=$!
	helpers+=("$pid")
	wait_for in_flight 0 1
	consumer request 0 3 both irq-only hard
	ctl 0 "fault release"
	wait "$pid" || true
	nudge 0 3 1
	ends_at 0 3 hard 1
	# Who has the interrupt finds it gone.
	unbind 0
	complaints=$(log_since | grep -E 'WARNING: |removing non-empty' || true)
	expect_eq "$complaints" "" "what the kernel says"
	consumer free 0 3
	bind 0
}

run_tests

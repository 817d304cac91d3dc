#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Consumers inside the kernel, which a devicetree gives their lines: keys, LEDs and
#: hogs. For User-Mode Linux: there a guest can have a devicetree of ours.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8
#guest: --dts tests/guest/keys.dts

. "$(dirname -- "$0")/lib.sh"

# What tests/guest/keys.dts has.
KEY_A=30 KEY_A_LINE=3
KEY_B=48 KEY_B_LINE=4 # active low
KEY_C=46 KEY_C_LINE=2 # by its interrupt, a rising edge
GREEN_LINE=6
RED_LINE=1 # active low
ENABLE_LINE=5
RESET_LINE=7 # active low

KEYS=/sys/bus/platform/drivers/gpio-keys
LEDS=/sys/bus/platform/drivers/leds-gpio

# led NAME LEVEL: the LED gets it a little later, as the line of a device may sleep.
led() { echo "$2" >"/sys/class/leds/$1/brightness"; }

# drives LINE LEVEL: whether the device sees the line as an output with this level.
drives() { [[ "$(ctl 0 get "$1")" == "out $2"* ]]; }

leds_are_there() { [ -w /sys/class/leds/green/brightness ] && [ -w /sys/class/leds/red/brightness ]; }

# The keys' input device; nothing and failure if there is none.
keys_event() {
	local path
	for path in /sys/bus/platform/devices/keys/input/input*/event*; do
		[ -e "$path" ] || return 1
		echo "/dev/input/${path##*/}"
	done
}

# Has whatever happens to the keys reported from now on; at first none is pressed.
watch_keys() {
	local event answer
	ctl 0 set $KEY_A_LINE 0
	ctl 0 set $KEY_B_LINE 1
	ctl 0 set $KEY_C_LINE 0
	wait_for keys_event >/dev/null
	event=$(keys_event)
	exec {reader}< <(exec "$(dirname -- "$0")/read-key.py" "$event" 2>&1)
	reader_pid=$!
	# However the test ends.
	trap unwatch_keys EXIT
	read -r -t 20 answer <&"$reader" || fail "the keys cannot be read"
	expect_eq "$answer" ready "the one who reads the keys"
}

unwatch_keys() {
	kill "$reader_pid" 2>/dev/null || true
	wait "$reader_pid" 2>/dev/null || true
	exec {reader}<&-
	trap - EXIT
}

# expect_report WANTED WHAT
expect_report() {
	local report=
	read -r -t 10 report <&"$reader" || fail "$2: nothing was reported"
	expect_eq "$report" "$1" "$2"
}

# The consumers' drivers let go of them.
consumers_go() {
	[ ! -e $LEDS/leds ] || echo leds >$LEDS/unbind
	[ ! -e $KEYS/keys ] || echo keys >$KEYS/unbind
}

# They are bound again, if that has not happened by itself.
consumers_come() {
	[ -e $LEDS/leds ] || echo leds >$LEDS/bind || [ -e $LEDS/leds ]
	[ -e $KEYS/keys ] || echo keys >$KEYS/bind || [ -e $KEYS/keys ]
}

# A key and an LED do what they should.
everything_works() {
	watch_keys
	ctl 0 set $KEY_A_LINE 1
	expect_report "$KEY_A 1" "key A"
	ctl 0 set $KEY_A_LINE 0
	expect_report "$KEY_A 0" "key A"
	unwatch_keys
	led green 1
	wait_for drives $GREEN_LINE 1
	led green 0
	wait_for drives $GREEN_LINE 0
}

test_hogs_hold_their_lines() {
	expect_match "$(ctl 0 get $ENABLE_LINE)" '^out 1' "the line of enable"
	expect_match "$(ctl 0 get $RESET_LINE)" '^out 0' "the line of reset, which is active low"
	expect_match "$(gpioinfo -c "$(chip 0)" $ENABLE_LINE)" 'consumer="?enable' "enable"
	fails gpioset -t0 -c "$(chip 0)" $ENABLE_LINE=0
	expect_match "$(ctl 0 get $ENABLE_LINE)" '^out 1' "the line of enable, after an attempt to move it"
}

test_leds_reach_the_device() {
	local level
	wait_for leds_are_there
	expect_match "$(ctl 0 get $GREEN_LINE)" '^out 0' "green when nobody has touched it"
	expect_match "$(ctl 0 get $RED_LINE)" '^out 1' "red when nobody has touched it"
	for level in 1 0 1 0; do
		led green $level
		wait_for drives $GREEN_LINE $level
		led red $level
		wait_for drives $RED_LINE $((!level))
	done
}

test_a_key_is_pressed_and_released() {
	local level
	watch_keys
	for level in 1 0 1 0; do
		ctl 0 set $KEY_A_LINE $level
		expect_report "$KEY_A $level" "key A"
	done
	unwatch_keys
}

test_a_key_that_is_active_low() {
	local level
	watch_keys
	for level in 1 0 1 0; do
		ctl 0 set $KEY_B_LINE $((!level))
		expect_report "$KEY_B $level" "key B"
	done
	unwatch_keys
}

test_a_key_by_its_interrupt() {
	local i
	watch_keys
	for i in 1 2 3; do
		# One edge is a press and a release; the other edge is nothing.
		ctl 0 set $KEY_C_LINE 1
		expect_report "$KEY_C 1" "key C, press $i"
		expect_report "$KEY_C 0" "key C, release $i"
		ctl 0 set $KEY_C_LINE 0
	done
	ctl 0 set $KEY_A_LINE 1
	expect_report "$KEY_A 1" "the next event, which is another key's"
	ctl 0 set $KEY_A_LINE 0
	expect_report "$KEY_A 0" "that key"
	unwatch_keys
}

test_no_press_is_lost() {
	local i
	watch_keys
	for ((i = 0; i < 100; i++)); do
		ctl 0 set $KEY_A_LINE $(((i + 1) % 2))
		expect_report "$KEY_A $(((i + 1) % 2))" "event $i"
	done
	unwatch_keys
}

test_the_module_stays_while_its_lines_are_used() {
	wait_for leds_are_there
	fails rmmod gpio_virtio
	led green 1
	wait_for drives $GREEN_LINE 1
	led green 0
}

test_without_consumers_the_module_can_go_and_come_back() {
	consumers_go
	rmmod gpio_virtio
	modprobe gpio_virtio
	expect_match "$(ctl 0 get $ENABLE_LINE)" '^out 1' "the line of enable"
	consumers_come
	everything_works
}

test_an_unbind_leaves_consumers_with_nothing() {
	local i
	for i in 1 2 3; do
		watch_keys
		timed unbind 0
		[ "$elapsed_ms" -lt 1000 ] || fail "unbind $i took $elapsed_ms ms"
		expect_eq "$(chip 0)" "" "chip after unbind $i"

		# They are still there, and what they try is without effect.
		ctl 0 set $KEY_A_LINE 1
		timed led green 1
		[ "$elapsed_ms" -lt 1000 ] || fail "setting an LED without a line took $elapsed_ms ms"
		! read -r -t 0.5 <&"$reader" || fail "a key without a line was reported as '$REPLY'"
		unwatch_keys

		# The new chip is not the one that they have.
		bind 0
		expect_match "$(ctl 0 get $ENABLE_LINE)" '^out 1' "the line of enable after bind $i"
		consumers_go
		consumers_come
		everything_works
	done
}

run_tests

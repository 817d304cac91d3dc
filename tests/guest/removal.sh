#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: A device that is unplugged while its lines are used, with the driver asked and without:
#: it is gone within a second, and who used it gets errors. TEST_ROUNDS is how often (5).

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel,irq-type,hotplug
#guest: --param timeout_ms=60000

. "$(dirname -- "$0")/lib-irq.sh"

QMP=$(dirname -- "$0")/qmp.py
# From the event to the end of the driver's unbinding: this is required.
LIMIT_MS=1000

users=()
clean_up() {
	local pid
	touch /run/stop
	for pid in "${users[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	echo all >"$CONSUMER/free"
	[ -n "$(chip 0)" ] || plug_in
}

# Uses lines until told to stop. Errors are what there is for it when the device is gone.
load() {
	until [ -e /run/stop ]; do
		# Requests fail when the device is gone, and the chip is still there for a while.
		"$GPIO_HAMMER" --chip "$1" --threads 3 --lines 3 --requests 20000 >/run/hammer 2>&1 ||
			[ -e "/dev/$1" ] || break
	done
}

# Lines are held, watched, set and read; and one request is not answered.
use_lines() {
	local chip=$1 answer
	users=()
	rm -f /run/stop
	coproc HOLDER { exec "$(dirname -- "$0")/hold-line.py" "$chip" 4; }
	users+=("$HOLDER_PID")
	read -r -t 60 answer <&"${HOLDER[0]}"
	expect_eq "$answer" held "the one who holds a line"
	gpioset -c "$chip" 5=1 </dev/null >/dev/null 2>&1 &
	users+=($!)
	wait_for held 0 5
	# Not gpiomon, which ends when it reads an edge of a chip that is just going: the kernel (7.3) warns if
	# somebody gives an interrupt back between gpiolib's doing so and the end of the interrupt.
	consumer request 0 6 both hard
	gpiomon -c "$chip" 3 >/run/gpiomon2 2>&1 &
	users+=($!)
	wait_for held 0 3
	# It goes on while the device is out.
	[ "$(stat 0 bursts)" != 0 ] || ctl 0 burst 6 1000000 1000
	load "$chip" &
	users+=($!)
	wait_for held 0 2
	# One of the threads gets no answer any more.
	ctl 0 fault never 1
	wait_for in_flight_at_least 1
}

in_flight_at_least() { [ "$(stat 0 in-flight)" -ge "$1" ]; }

# They get errors, and do not hang: gpioset alone does not look at its line again.
users_are_told() {
	local answer
	echo >&"${HOLDER[1]}"
	read -r -t 20 answer <&"${HOLDER[0]}" || true
	expect_eq "$answer" ENODEV "setting a line that is gone"
	kill "${users[0]}" "${users[1]}" "${users[2]}" 2>/dev/null || true
	echo all >"$CONSUMER/free"
	touch /run/stop
	for pid in "${users[@]}"; do
		wait_for is_gone "$pid"
		wait "$pid" 2>/dev/null || true
	done
	expect_match "$(cat /run/hammer)" 'No such (device|file)|Input/output error' "what the threads say"
	users=()
}

plug_in() {
	# What was swallowed before is nothing to the new one.
	ctl 0 fault none
	for _ in 1 2 3; do
		"$QMP" gone 0
		"$QMP" add 0
		# A slot that is not through with what was in it before may turn the new one off.
		! (wait_for there_again) >/dev/null || break
	done
	there_again || fail "the new device is not there"
}
there_again() {
	find_devices
	[ "$PROTOCOL" = rfc ] || LABELS=("${DEVICES[@]}")
	[ ${#DEVICES[@]} -gt 0 ] && [ -n "$(chip 0)" ]
}

# taken_out HOW: ends when the driver has let go of it, and sets $gone_ms.
gone_ms=0
taken_out() {
	local chip virtio start deadline=$((SECONDS + 30))
	chip=/sys/bus/gpio/devices/$(chip 0)
	virtio=/sys/bus/virtio/devices/$(virtio_name 0)
	rm -f /run/start
	"$1" &
	users+=($!)
	while [ -e "$chip" ] || [ -e "$virtio" ]; do
		[ "$SECONDS" -lt "$deadline" ] || fail "it is still there after 30 seconds"
		sleep 0.005
	done
	start=${EPOCHREALTIME/./}
	read -r deadline </run/start
	gone_ms=$(((start - ${deadline/./}) / 1000))
}

# The administrator turns the slot off: the driver is asked first. (Somebody who presses
# its button is heard after five seconds; then it is the same.)
orderly() {
	echo "$EPOCHREALTIME" >/run/start
	echo 0 >/sys/bus/pci/slots/1/power
}

surprise() { "$QMP" vanish 0 /run/start; }

rounds_of() { # HOW
	local i longest=0
	trap clean_up EXIT
	for ((i = 1; i <= ${TEST_ROUNDS:-5}; i++)); do
		use_lines "$(chip 0)"
		taken_out "$1"
		[ "$gone_ms" -le "$longest" ] || longest=$gone_ms
		users_are_told
		plug_in
		expect_eq "$(gpioget --numeric -c "$(chip 0)" 0)" 0 "line 0 of the new device"
	done
	echo "${TEST_ROUNDS:-5} times; the device was gone after $longest ms at most"
	[ "$longest" -le $LIMIT_MS ] || fail "it took $longest ms"
}

test_orderly_removal() {
	rounds_of orderly
}

test_surprise_removal() {
	rounds_of surprise
}

is_taken_out() { [ ! -e "/sys/bus/virtio/devices/$1" ]; }

test_the_button_is_pressed() {
	local name
	trap clean_up EXIT
	name=$(virtio_name 0)
	use_lines "$(chip 0)"
	"$QMP" del 0
	wait_for is_taken_out "$name"
	users_are_told
	plug_in
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 0)" 0 "line 0 of the new device"
}

test_unused_devices_come_and_go() {
	local how
	trap clean_up EXIT
	for how in surprise orderly surprise; do
		taken_out "$how"
		plug_in
		expect_eq "$(gpioget --numeric -c "$(chip 0)" 0)" 0 "line 0 of the new device"
	done
	users=()
}

run_tests

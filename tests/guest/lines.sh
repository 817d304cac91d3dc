#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Lines of several devices, as libgpiod's tools see and move them.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,label=panel,name0=LED0,name1=BUTTON0,name7=LAST
#guest: --device rfc,lines=64,label=wide
#guest: --device rfc,lines=1,label=single
#guest: --device rfc,lines=1000,label=huge
#guest: --device rfc,lines=2

. "$(dirname -- "$0")/lib.sh"

test_module_is_loaded_by_its_alias() {
	# Nobody but udev has loaded it.
	grep -q '^gpio_virtio ' /proc/modules || [ -n "${GPIO_BUILT_IN:-}" ]
}

test_each_device_has_a_chip() {
	local k
	for k in 0 1 2 3 4; do
		expect_match "$(chip $k)" '^gpiochip[0-9]+$' "chip of device $k"
	done
	expect_eq "$(gpiodetect | wc -l)" 5 "number of chips"
}

test_labels_and_sizes() {
	local detected
	detected=$(gpiodetect)
	expect_match "$detected" "$(chip 0) \\[$(by_protocol panel "$(virtio_name 0)")\\] \\(8 lines\\)" "device 0"
	expect_match "$detected" "$(chip 1) \\[$(by_protocol wide "$(virtio_name 1)")\\] \\(64 lines\\)" "device 1"
	expect_match "$detected" "$(chip 2) \\[$(by_protocol single "$(virtio_name 2)")\\] \\(1 lines\\)" "device 2"
	expect_match "$detected" "$(chip 3) \\[$(by_protocol huge "$(virtio_name 3)")\\] \\(1000 lines\\)" "device 3"
	# A device without a name of its own has that of the virtio device; in the standard
	# there are none that have one.
	expect_match "$detected" "$(chip 4) \\[$(virtio_name 4)\\] \\(2 lines\\)" "device 4"
}

test_one_message_per_device_in_the_log() {
	local k
	for k in 0 1 2 3 4; do
		expect_eq "$(dmesg | grep -c "gpio_virtio $(virtio_name $k): ")" 1 "messages about device $k"
	done
}

test_names_and_directions() {
	local info
	info=$(gpioinfo -c "$(chip 0)" | tr -s ' \t' ' ')
	expect_match "$info" 'line 0: "?LED0"? input' "line 0"
	expect_match "$info" 'line 1: "?BUTTON0"? input' "line 1"
	expect_match "$info" 'line 2: unnamed input' "line 2"
	expect_match "$info" 'line 7: "?LAST"? input' "line 7"

	hold 0 2=1
	info=$(gpioinfo -c "$(chip 0)" | tr -s ' \t' ' ')
	expect_match "$info" 'line 2: unnamed output' "line 2 after gpioset"
}

test_lines_are_found_by_name() {
	start_gpioset LED0=1
	wait_for drives 0 0 1
	expect_eq "$(ctl 0 get 0)" "out 1 LED0" "LED0 as the device sees it"
	let_go
	start_gpioset LED0=0
	wait_for drives 0 0 0
	expect_eq "$(ctl 0 get 0)" "out 0 LED0" "LED0 as the device sees it"
	let_go
}

test_outputs_reach_the_device() {
	local line
	for line in 0 3 7; do
		hold 0 $line=1
		let_go
		hold 0 $line=0
		let_go
	done
}

test_inputs_come_from_the_device() {
	local line level
	for line in 0 3 7; do
		for level in 1 0 1; do
			ctl 0 set $line $level
			expect_eq "$(gpioget --numeric -c "$(chip 0)" $line)" $level "line $line"
			expect_match "$(ctl 0 get $line)" "^$IDLE $level" "line $line"
		done
		ctl 0 set $line 0
	done
}

test_what_is_set_outside_is_kept_for_the_next_input() {
	hold 0 4=0
	ctl 0 set 4 1
	expect_match "$(ctl 0 get 4)" '^out 0' "line 4 as an output"
	let_go
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 4)" 1 "line 4 as an input"
	ctl 0 set 4 0
}

test_an_output_can_be_read_back() {
	only_for_protocol rfc "a line that was given back is no output any more"
	gpioset -t0 -c "$(chip 0)" 5=1
	expect_eq "$(gpioget --numeric --as-is -c "$(chip 0)" 5)" 1 "line 5"
	gpioset -t0 -c "$(chip 0)" 5=0
	expect_eq "$(gpioget --numeric --as-is -c "$(chip 0)" 5)" 0 "line 5"
}

test_active_low_is_only_in_the_guest() {
	start_gpioset --active-low -c "$(chip 0)" 5=1
	wait_for drives 0 5 0
}

test_gpioset_takes_few_messages() {
	gpioget --numeric -c "$(chip 2)" 0 >/dev/null
	ctl 2 reset-stats
	gpioset -t0 -c "$(chip 2)" 0=1
	# REQUEST, GET_DIRECTION (gpiolib asks), DIRECTION_OUTPUT, in which the level is. In
	# the standard: GET_DIRECTION, SET_VALUE, SET_DIRECTION, and again when it is given back.
	expect_eq "$(stat 2 requests)" "$(by_protocol 3 4)" "messages for one gpioset"
}

test_a_busy_line_is_refused() {
	hold 0 6=1
	fails gpioget -c "$(chip 0)" 6
	let_go
	gpioget -c "$(chip 0)" 6
}

test_all_lines_of_a_wide_chip_at_once() {
	local args=() wanted='' line
	for ((line = 0; line < 64; line++)); do
		args+=("$line=$((line % 3 == 0))")
		wanted+="$((line % 3 == 0))"
	done
	start_gpioset -c "$(chip 1)" "${args[@]}"
	wait_for drives 1 63 1
	for ((line = 0; line < 64; line += 7)); do
		expect_match "$(ctl 1 get $line)" "^out ${wanted:line:1}" "line $line"
	done
	let_go
	[ "$PROTOCOL" = rfc ] || return 0
	# They still are what they were.
	expect_eq "$(gpioget --numeric --as-is -c "$(chip 1)" $(seq 0 63) | tr -d ' ')" "$wanted" "all lines"
}

# What one call does with the 64 lines of device 1; see there.
many_lines() { "$(dirname -- "$0")/many-lines.py" "$(chip 1)" 1 "$1"; }

test_many_outputs_by_one_call() {
	many_lines values
}

test_many_inputs_by_one_call() {
	many_lines inputs
}

test_many_lines_are_one_round_trip() {
	many_lines round-trips
}

test_a_line_of_many_is_refused() {
	many_lines refused
}

test_first_and_last_line_of_a_huge_chip() {
	local line
	for line in 0 999; do
		hold 3 $line=1
	done
	ctl 3 set 998 1
	expect_eq "$(gpioget --numeric -c "$(chip 3)" 998 997)" "1 0" "lines 998 and 997"
	fails gpioget -c "$(chip 3)" 1000
}

test_devices_do_not_mix() {
	hold 2 0=1
	hold 0 0=0
	expect_match "$(ctl 2 get 0)" '^out 1' "line 0 of device 2"
	expect_match "$(ctl 0 get 0)" '^out 0' "line 0 of device 0"
}

run_tests

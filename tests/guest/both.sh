#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Devices of both protocols in one guest: one module drives them, and neither is in the
#: other's way.

#guest: --device rfc,irq-type,lines=8,label=first,name0=ONE
#guest: --device standard,lines=8,name0=TWO

. "$(dirname -- "$0")/lib.sh"

# Those of both protocols.
DEVICES=()
for path in /sys/bus/virtio/devices/virtio{?,??}; do
	case $(cat "$path/device" 2>/dev/null || true) in
	0x001e | 0x0029) DEVICES+=("${path##*/}") ;;
	esac
done

TEMP=$(mktemp -d)
helpers=()
end_helpers() {
	local pid
	for pid in "${helpers[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}

test_one_module_drives_both() {
	expect_eq "${#DEVICES[@]}" 2 "number of devices"
	expect_eq "$(cat "/sys/bus/virtio/devices/${DEVICES[0]}/device")" 0x001e "first device"
	expect_eq "$(cat "/sys/bus/virtio/devices/${DEVICES[1]}/device")" 0x0029 "second device"
	is_bound 0
	is_bound 1
	expect_eq "$(grep -c '^gpio_virtio ' /proc/modules)" 1 "modules"
	expect_eq "$(readlink -f "$DRIVER/module")" /sys/module/gpio_virtio "the driver's module"
}

test_lines_are_found_by_name() {
	local info
	info=$(gpioinfo ONE TWO | tr -s ' \t' ' ')
	expect_match "$info" "$(chip 0) 0" "ONE"
	expect_match "$info" "$(chip 1) 0" "TWO"
}

test_values_both_ways_on_both() {
	local k
	trap end_helpers EXIT
	hold 0 1=1 2=0
	hold 1 1=1 2=0
	for k in 0 1; do
		expect_match "$(ctl "$k" get 1)" '^out 1' "line 1 of device $k"
		expect_match "$(ctl "$k" get 2)" '^out 0' "line 2 of device $k"
	done
	ctl 0 set 3 1
	ctl 1 set 3 0
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 3)" 1 "line 3 of device 0"
	expect_eq "$(gpioget --numeric -c "$(chip 1)" 3)" 0 "line 3 of device 1"
	ctl 0 set 3 0
	ctl 1 set 3 1
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 3)" 0 "line 3 of device 0 afterwards"
	expect_eq "$(gpioget --numeric -c "$(chip 1)" 3)" 1 "line 3 of device 1 afterwards"
}

is_armed() { [ "$(ctl "$1" irq "$2")" = both ]; }
has_lines() { [ "$(wc -l <"$1")" = "$2" ]; }

test_edges_on_both_at_once() {
	local k i level
	trap end_helpers EXIT
	for k in 0 1; do
		gpiomon -c "$(chip "$k")" --format '%o %e' 4 </dev/null >"$TEMP/$k" &
		helpers+=($!)
		wait_for is_armed "$k" 4
	done
	for ((i = 1; i <= 20; i++)); do
		level=$((i % 2))
		ctl 0 set 4 "$level"
		ctl 1 set 4 "$level"
		wait_for has_lines "$TEMP/0" "$i"
		wait_for has_lines "$TEMP/1" "$i"
	done
	# 1 is rising, 2 falling.
	for k in 0 1; do
		expect_eq "$(sort "$TEMP/$k" | uniq -c | tr -s ' \n' ' ')" " 10 4 1 10 4 2 " "edges of device $k"
	done
}

# The kernel's own driver leaves a pointer of its own in the device when it goes.
test_a_device_that_another_driver_had_before() {
	local k
	[ -f "${GPIO_C_MODULE:-}" ] || {
		echo "# SKIP this kernel has no driver of its own"
		exit 4
	}
	for k in 1 2; do
		rmmod gpio_virtio
		insmod "$GPIO_C_MODULE"
		wait_for is_bound 1
		fails is_bound 0
		rmmod gpio_virtio
		insmod "$GPIO_MODULE"
		wait_for is_bound 0
		wait_for is_bound 1
		ctl 1 set 3 "$((k % 2))"
		expect_eq "$(gpioget --numeric -c "$(chip 1)" 3)" "$((k % 2))" "line 3, round $k"
	done
}

test_one_goes_and_the_other_stays() {
	local k
	trap end_helpers EXIT
	for k in 0 1; do
		hold $((1 - k)) 5=1
		unbind "$k"
		expect_eq "$(chip "$k")" "" "chip of device $k"
		expect_match "$(ctl $((1 - k)) get 5)" '^out 1' "the other device's line"
		bind "$k"
		expect_match "$(chip "$k")" '^gpiochip' "chip of device $k"
		let_go
	done
}

run_tests
rc=$?
rm -rf "$TEMP"
exit $rc

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Devices whose configuration is not as it should be: each gets one clear message,
#: and either no chip or a chip without what was wrong.

# How it is to be booted: scripts/test reads this.
#guest: --device rfc,lines=8,config-size=256

. "$(dirname -- "$0")/lib.sh"

# configured CONFIG: the device has this configuration, and the driver meets it.
configured() {
	! is_bound 0 || unbind 0
	ctl 0 "config $1" >/dev/null
	log_mark
	bind 0 2>/dev/null || true
	messages=$(log_since | grep -a gpio_virtio || true)
}

# label S: the label of the chip of a device with this one.
label() { by_protocol "$1" "$(virtio_name 0)"; }

# refused CONFIG MESSAGE: there is no chip but one message.
refused() {
	configured "$1"
	expect_eq "$(chip 0)" "" "$1: chip"
	expect_eq "$(wc -l <<<"$messages")" 1 "$1: number of messages ($messages)"
	expect_match "$messages" "$2" "$1: message"
}

# unnamed CONFIG MESSAGE: there is a chip of 4 lines without names, and one message more.
unnamed() {
	configured "$1"
	expect_match "$(gpiodetect)" "\\[$(label odd)\\] \\(4 lines\\)" "$1: chip"
	expect_eq "$(gpioinfo -c "$(chip 0)" | grep -c unnamed)" 4 "$1: lines without a name"
	expect_eq "$(wc -l <<<"$messages")" 2 "$1: number of messages ($messages)"
	expect_match "$messages" "(names of the lines are not used|device does not tell the names of the lines): $2" "$1: message"
	expect_eq "$(gpioget --numeric -c "$(chip 0)" 3)" 0 "$1: line 3"
}

test_another_version() {
	only_for_protocol rfc "the standard's configuration has no version"
	refused "lines=4 version=2" "not a GPIO device.*version is 2"
	refused "lines=4 version=0" "not a GPIO device.*version is 0"
}

test_no_lines() {
	refused "lines=4 num-gpios=0" "not a GPIO device.*no lines"
}

test_the_config_of_another_type() {
	only_for_protocol rfc "the ID is no other type's"
	# The registry gave ID 30 to another device: a version, two sizes, no name.
	refused "lines=4 raw-hex=0000000000100000001000000000000000000000000000000000000000000000" \
		"not a GPIO device"
	refused "lines=4 raw-hex=ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" \
		"not a GPIO device"
}

test_a_refused_device_is_left_alone() {
	ctl 0 reset-stats
	refused "lines=4 $(by_protocol version=7 num-gpios=0)" "left alone"
	expect_eq "$(stat 0 requests)" 0 "messages to the device"
}

test_names_larger_than_the_configuration() {
	only_for_protocol rfc "the names are not in the standard's configuration"
	not_on_uml "a driver is not told how large the configuration is"
	unnamed "lines=4 label=odd name0=A names-size=4294967295" ".*no room for 4294967295"
	unnamed "lines=4 label=odd name0=A names-size=1048576" ".*no room"
	unnamed "lines=4 label=odd name0=A names-size=4033" ".*no room"
}

test_names_larger_than_anything() {
	only_for_protocol standard "where they are the configuration has its size"
	not_with_c "dies of this: the size and one more byte are none at all, for 32 bits"
	unnamed "lines=4 label=odd name0=A names-size=4294967295" "4294967295 bytes are more"
	unnamed "lines=4 label=odd name0=A names-size=1048577" "1048577 bytes are more"
}

test_fewer_bytes_of_names_than_announced() {
	only_for_protocol standard "the names are asked for in the standard only"
	unnamed "lines=4 label=odd name0=A names-size=1048576" "reply of 6 bytes instead of 1048577"
	unnamed "lines=4 label=odd name0=A names-size=100" "reply of 6 bytes instead of 101"
}

test_names_that_cannot_be_had() {
	local fault
	only_for_protocol standard "the names are asked for in the standard only"
	for fault in short empty-reply bad-status "errno 5"; do
		! is_bound 0 || unbind 0
		ctl 0 "fault $fault"
		unnamed "lines=4 label=odd name0=A" "(reply|refused)"
	done
}

# The last of the names is cut off, and then it has no end.
test_more_bytes_of_names_than_announced() {
	only_for_protocol standard "the names are asked for in the standard only"
	unnamed "lines=4 label=odd name0=A name1=BB names-size=4" ".*no end"
}

test_names_that_are_there_twice() {
	configured "lines=4 label=odd name0=A name1=B name2=A"
	# Many boards have more than one line that is called "NC".
	expect_eq "$(gpioinfo -c "$(chip 0)" | grep -c unnamed)" 1 "lines without a name"
	expect_eq "$(gpioinfo -c "$(chip 0)" | grep -c '"A"')" 2 "lines with the same name"
}

test_names_without_an_end() {
	unnamed "lines=4 label=odd names-hex=4142" ".*no end"
}

test_more_names_than_lines() {
	unnamed "lines=4 label=odd names-hex=41004200430044004500" ".*more names than lines"
}

test_names_that_are_not_ascii() {
	unnamed "lines=4 label=odd names-hex=41001b5b4d00" ".*0x1b is not printable"
	unnamed "lines=4 label=odd names-hex=c3a400" ".*0xc3 is not printable"
}

test_names_with_padding_are_fine() {
	configured "lines=4 label=odd names-hex=41000042000000000000"
	expect_match "$(gpiodetect)" "\\[$(label odd)\\] \\(4 lines\\)" "chip"
	expect_eq "$(gpioinfo -c "$(chip 0)" | grep -c unnamed)" 2 "lines without a name"
	expect_eq "$(wc -l <<<"$messages")" 1 "number of messages ($messages)"
}

test_fewer_names_than_lines_are_fine() {
	configured "lines=4 label=odd names-hex=4100"
	expect_eq "$(gpioinfo -c "$(chip 0)" | grep -c unnamed)" 3 "lines without a name"
	expect_eq "$(wc -l <<<"$messages")" 1 "number of messages ($messages)"
}

test_a_label_of_32_characters() {
	only_for_protocol rfc "the standard's devices have no names of their own"
	configured "lines=4 label=0123456789abcdef0123456789ABCDEF"
	# gpiodetect gets 31 of them: that much room has the kernel's own interface.
	expect_match "$(gpiodetect)" '\[0123456789abcdef0123456789ABCDE' "chip"
}

test_a_label_that_is_not_ascii() {
	only_for_protocol rfc "the standard's devices have no names of their own"
	configured "lines=4 label-hex=41c3a4"
	expect_match "$(gpiodetect)" "\[$(virtio_name 0)\] \(4 lines\)" "chip"
	expect_match "$messages" "name is not used" "message"
}

test_the_most_lines_there_can_be() {
	configured "lines=65535 label=most"
	expect_match "$(gpiodetect)" "\\[$(label most)\\] \\(65535 lines\\)" "chip"
	hold 0 65534=1
}

test_a_proper_device_afterwards() {
	configured "lines=8 label=panel name0=LED0"
	expect_match "$(gpiodetect)" "\\[$(label panel)\\] \\(8 lines\\)" "chip"
	expect_match "$(gpioinfo -c "$(chip 0)")" 'LED0' "the names of the lines"
	expect_eq "$(wc -l <<<"$messages")" 1 "number of messages ($messages)"
}

run_tests

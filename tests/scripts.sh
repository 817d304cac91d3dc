#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Usage: tests/scripts.sh
#:
#: Tests of the scripts themselves, the guest runner first of all: what it promises
#: to those who write tests with it. Prints KTAP.

set -uo pipefail
. "$(dirname -- "$0")/../scripts/lib/common.sh"

case ${1:-} in
-h | --help)
	show_help
	exit 0
	;;
esac

scratch=$(mktemp -d /tmp/gpio-virtio-test.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
guest=$CHECKOUT/scripts/guest

fail() {
	echo "# $*"
	exit 1
}

expect_eq() { [ "$1" = "$2" ] || fail "$3: got '$1', wanted '$2'"; }

# runs COMMAND...: its outputs in $out and $err, its status in $rc.
runs() {
	rc=0
	"$@" >"$scratch/out" 2>"$scratch/err" </dev/null || rc=$?
	out=$(cat "$scratch/out")
	err=$(cat "$scratch/err")
}

test_every_script_has_help() {
	local script
	for script in "$CHECKOUT"/scripts/{lab,kernel,in-lab,guest,demo,test,check-style,integrate,build-module,build-device,build-peer,bench}; do
		runs "$script" --help
		expect_eq "$rc" 0 "status of $script --help"
		[[ $out == *Usage:* ]] || fail "$script --help does not say how to use it"
	done
}

# All that passes at once: to boot takes most of the time.
test_output_status_and_the_current_folder_pass() {
	echo hello >"$scratch/from-host"
	cd "$scratch" || exit 1
	runs "$guest" --device rfc,lines=8,label=panel,name0=LED0 -- \
		sh -c 'gpiodetect; pwd; cat from-host; echo back >from-guest; echo to stderr >&2; printf "no newline"; exit 7'
	expect_eq "$rc" 7 "status"
	[[ $out =~ ^gpiochip[0-9]+\ \[panel\]\ \(8\ lines\)$'\n'"$scratch"$'\nhello\nno newline'$ ]] ||
		fail "standard output is '$out'"
	[[ $err == *"to stderr"* ]] || fail "standard error has no 'to stderr': $err"
	expect_eq "$(cat from-guest)" back "what the guest wrote into the current folder"
}

test_a_complaint_of_the_kernel_fails_the_run() {
	runs "$guest" -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at nowhere" >/dev/kmsg; echo done'
	expect_eq "$rc" 125 "status"
	expect_eq "$out" "done" "standard output"
	[[ $err == *"at nowhere"* ]] || fail "the complaint is not shown: $err"
}

# Processes with this in their command lines, our own ones left out.
processes_with() { grep -lsa -- "$1" /proc/[0-9]*/cmdline | grep -vcE "/($$|$BASHPID|self)/" || true; }

test_a_time_out_leaves_nothing_behind() {
	local mark=orphan$BASHPID
	runs "$guest" --timeout 25 --device "rfc,lines=4,label=$mark" --append "$mark=1" -- sleep 600
	expect_eq "$rc" 124 "status"
	sleep 1
	# The bracket keeps grep from finding itself.
	expect_eq "$(processes_with "[o]rphan${mark#orphan}")" 0 "guests and devices that run"
	if grep -q "$LAB_ROOT/" /proc/self/mounts; then fail "something is still mounted in the lab"; fi
}

test_user_mode_linux_passes_output_and_status() {
	cd "$scratch" || exit 1
	# What it leaves running does not hold the guest up.
	runs "$guest" --kernel uml --device rfc,lines=8,label=panel -- \
		sh -c 'gpiodetect; seq 1 100000; echo to stderr >&2; pwd >from-guest; sleep 600 & exit 7'
	expect_eq "$rc" 7 "status"
	expect_eq "$out" "gpiochip0 [panel] (8 lines)"$'\n'"$(seq 1 100000)" "standard output"
	[[ $err == *"to stderr"* ]] || fail "standard error has no 'to stderr': $err"
	expect_eq "$(cat from-guest)" "$scratch" "what the guest wrote"
}

test_user_mode_linux_complains_and_dies() {
	runs "$guest" --kernel uml -- sh -c 'echo "WARNING: CPU: 0 PID: 1 at nowhere" >/dev/kmsg; echo done'
	expect_eq "$rc" 125 "status after a complaint"
	expect_eq "$out" "done" "standard output"
	[[ $err == *"at nowhere"* ]] || fail "the complaint is not shown: $err"

	runs "$guest" --kernel uml --append init=/nowhere -- true
	expect_eq "$rc" 125 "status of a guest whose kernel panics"
	[[ $err == *"its kernel crashed"* ]] || fail "what went wrong is not said: $err"
}

test_user_mode_linux_is_killed_after_a_time_out() {
	local mark=orphan$BASHPID
	runs "$guest" --kernel uml --timeout 5 --device "rfc,lines=4,label=$mark" --append "$mark=1" -- sleep 600
	expect_eq "$rc" 124 "status"
	sleep 1
	expect_eq "$(processes_with "[o]rphan${mark#orphan}")" 0 "guests and devices that run"
	if grep -q "$LAB_ROOT/" /proc/self/mounts; then fail "something is still mounted in the lab"; fi
}

test_a_devicetree_and_the_devices_have_to_fit() {
	echo '/dts-v1/; / { x = "@SOCKET0@"; };' >"$scratch/tree.dts"
	runs "$guest" --kernel uml --dts "$scratch/tree.dts" -- true
	expect_eq "$rc" 2 "status with too few devices"
	runs "$guest" --kernel uml --dts "$scratch/tree.dts" --device rfc --device rfc -- true
	expect_eq "$rc" 2 "status with too many devices"
	[[ $err == *"@SOCKET1@"* ]] || fail "what was wrong is not said: $err"
	echo '/dts-v1/; / { x = "@SOCKET0@" };' >"$scratch/tree.dts"
	runs "$guest" --kernel uml --dts "$scratch/tree.dts" --device rfc -- true
	expect_eq "$rc" 2 "status with a syntax error"
	[[ $err == *"line 1."*"syntax error"* ]] || fail "what was wrong is not said: $err"
}

test_wrong_calls_are_told_so() {
	local args
	for args in "--device nonsense -- true" "--device rfc,lines=0 -- true" "--device rfc,lines=99999 -- true" \
		"--device rfc,bogus=1 -- true" "--kernel fast -- true" "--driver ada -- true" "--timeout soon -- true" "--frobnicate -- true" \
		"--kernel uml --device rfc,vq-size=8 -- true" "--kernel uml --device rfc,lines=8,config_size=64 -- true" \
		"--device rfc,restart=1 -- true" "--kernel uml --device rfc,restart -- true" "--kernel uml --device rfc,hotplug -- true" \
		"--device standard,irq-type -- true" "--device standard,via=serial -- true" "--device rfc,via=gpio -- true" \
		"--device standard,vq-size=8 -- true" "--kernel uml --device standard,via=generic -- true" \
		"--dts $CHECKOUT/tests/guest/keys.dts -- true" "--kernel uml --dts /nowhere -- true"; do
		# shellcheck disable=SC2086 # words
		runs "$guest" $args
		[ "$rc" != 0 ] || fail "this was accepted: $args"
		[ -n "$err" ] || fail "nothing was said about: $args"
	done
}

test_integrate_is_undone_exactly() {
	local source tree=$scratch/tree
	source=$(readlink -f "$("$CHECKOUT/scripts/kernel" --path normal)/source")
	mkdir -p "$tree/drivers"
	cp "$source/Makefile" "$source/Kconfig" "$tree/"
	cp -a "$source/drivers/gpio" "$tree/drivers/"
	cp -a "$tree" "$scratch/tree.before"

	runs "$CHECKOUT/scripts/integrate" "$tree"
	expect_eq "$rc" 0 "status of integrate ($err)"
	expect_eq "$(diff "$tree/drivers/gpio/Makefile" "$scratch/tree.before/drivers/gpio/Makefile" | grep -c '^<')" 2 \
		"lines added to or changed in the Makefile"
	grep -qx 'config GPIO_VIRTIO_C' "$tree/drivers/gpio/Kconfig" || fail "the C driver has its old symbol"
	[ -f "$tree/drivers/gpio/gpio-virtio/gpio_virtio.rs" ] || fail "the driver is not there"

	# Again, and with links, changes nothing but the files.
	runs "$CHECKOUT/scripts/integrate" --link "$tree"
	expect_eq "$rc" 0 "status of the second integrate ($err)"

	runs "$CHECKOUT/scripts/integrate" --remove "$tree"
	expect_eq "$rc" 0 "status of integrate --remove ($err)"
	diff -r "$tree" "$scratch/tree.before" || fail "the tree is not as it was"
}

test_device_says_what_is_wrong() {
	local device
	device=$("$CHECKOUT/scripts/build-device")
	runs "$CHECKOUT/scripts/in-lab" "$device" --socket /tmp/x --protocol rfc --lines 4 --name 4=TOO_FAR
	[ "$rc" != 0 ] || fail "a name for a line that does not exist was accepted"
	[[ $err == *4* ]] || fail "what was wrong is not said: $err"
}

mapfile -t tests < <(sed -n 's/^\(test_[a-z0-9_]*\)() {$/\1/p' "$0")
echo "KTAP version 1"
echo "1..${#tests[@]}"
number=0
failed=0
for name in "${tests[@]}"; do
	number=$((number + 1))
	if output=$("$name" 2>&1); then
		echo "ok $number ${name#test_}"
	else
		sed '/^# /!s/^/# /' <<<"$output"
		echo "not ok $number ${name#test_}"
		failed=1
	fi
done
exit $failed

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Usage: tests/faults.sh [FAULT...]
#:
#: What a device with ID 41 that does something wrong does to this driver, and to the kernel's
#: own: one guest for each thing and driver, as it may be the guest's end. Writes a table of
#: it to build/faults.md. Prints KTAP: a test passes if this driver survives; what the other
#: one does is shown only.

set -uo pipefail
. "$(dirname -- "$0")/../scripts/lib/common.sh"

case ${1:-} in
-h | --help)
	show_help
	exit 0
	;;
esac

# With User-Mode Linux, unless it says otherwise: there a device that goes away takes the
# guest with it.
FAULTS=(
	"short always"
	"long always"
	"empty-reply always"
	"bad-status always"
	"bad-value always"
	"errno 16 always"
	"late 3000 always"
	"never always"
	"out-of-order"
	"duplicate"
	"used-bad-id"
	"random 1 300"
	"random 2 300 breaking"
	"refuse-type 3 16"
	"bad-event 4"
	"stray-event 4"
	"duplicate-event"
	"used-bad-id-event"
	"storm valid"
	"storm invalid"
	"storm mixed"
	"config num-gpios=0"
	"config lines=65535"
	"config names-size=4294967295"
	"config names-size=4294967295 name0=LED0"
	"config names-hex=414243"
	"config names-hex=4100 names-size=2"
	"config changing=1 name0=LED0"
	"crash"
)
[ $# = 0 ] || FAULTS=("$@")

scratch=$(mktemp -d /tmp/gpio-virtio-faults.XXXXXX)
# shellcheck disable=SC2154 # it is set here
# What is started for a guest is in its process group, and cleans up after itself.
trap 'for job in $(jobs -p); do kill -- -"$job" 2>/dev/null; done; wait; rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# try NUMBER DRIVER: one guest; what it said is in $scratch/NUMBER.DRIVER.
try() {
	local fault=${FAULTS[$1]} driver=$2 to=$scratch/$1.$2 options=() rc=0 device=standard,lines=8
	case $fault in
	# It is started again. QEMU does not survive a reset of one that is gone for good.
	crash*) device+=,restart ;;
	*) options+=(--kernel uml) ;;
	esac
	[ "$driver" != rust ] || options+=(--param timeout_ms=1000)
	GPIO_PROTOCOL=standard GPIO_DRIVER=$driver "$CHECKOUT/scripts/guest" ${options[@]+"${options[@]}"} \
		--timeout 150 --driver "$driver" --device "$device" -- \
		"$CHECKOUT/tests/guest/fault.sh" "$fault" >"$to" 2>"$to.err" </dev/null || rc=$?
	echo "status=$rc" >>"$to"
}

# field FILE NAME: how a step ended, "none" if it was not reached.
field() {
	local value
	value=$(sed -n "s/^$2=//p" "$1")
	echo "${value:-none}"
}

# verdict FILE: what the guest's output comes to. The worst comes first.
verdict() {
	local file=$1 step value hangs='' wrong='' notes=''
	if [ "$(field "$file" end)" = none ]; then
		case $(field "$file" status) in
		124 | 125) ;;
		3)
			echo "not tried: the device does not know it"
			return
			;;
		*)
			echo "not tried: there was no guest"
			return
			;;
		esac
	fi
	if grep -qE 'its kernel crashed|Oops|Kernel panic|general protection' "$file.err"; then
		echo "crash: $(grep -aoE '(BUG|Oops|Kernel panic|general protection)[^|]*' "$file.err" | head -n 1 | cut -c1-90)"
		return
	fi
	for step in bind get set next unbind rebind after rmmod; do
		value=$(field "$file" $step)
		case $value in
		hang | slow) hangs+=" $step" ;;
		wrong) wrong+=" $step" ;;
		esac
	done
	if [ -n "$hangs" ] || [ "$(field "$file" end)" = none ]; then
		echo "hang:${hangs:- the guest}"
		return
	fi
	if [ -n "$wrong" ]; then
		echo "wrong:$wrong"
		return
	fi
	if [ "$(field "$file" kernel)" = complains ] || [ "$(field "$file" status)" = 125 ]; then
		echo "the kernel complains: $(grep -aoE '(WARNING|BUG|INFO: task)[^|]*' "$file" "$file.err" | head -n 1 | sed 's/^[^:]*://' | cut -c1-90)"
		return
	fi
	if [ "$(field "$file" after)" != right ]; then
		echo "dead: it does not work after it was bound again"
		return
	fi
	[ "$(field "$file" bind)" != refused ] || notes=", refuses it"
	[ "$(field "$file" next)" != error ] || notes+=", requests fail until it is bound again"
	[ "$(field "$file" edge)" != error ] || notes+=", no more edges until then"
	echo "survives$notes"
}

name_of() { tr -c 'a-z0-9\n' '_' <<<"$1"; }

# What all need is there before the first guest.
kernels=()
for fault in "${FAULTS[@]}"; do
	case $fault in
	crash*) kernels+=(normal) ;;
	*) kernels+=(uml) ;;
	esac
done
for kernel in $(printf '%s\n' "${kernels[@]}" | sort -u); do
	ensure_lab "$kernel"
	"$CHECKOUT/scripts/build-module" --kernel "$kernel" >/dev/null || die "there is no driver (see above)"
done
"$CHECKOUT/scripts/build-device" >/dev/null || die "there is no device (see above)"

for ((i = 0; i < ${#FAULTS[@]}; i++)); do
	for driver in c rust; do
		[ "$(jobs -pr | wc -l)" -lt 2 ] || wait -n || true
		set -m
		try "$i" $driver &
		set +m
	done
done
wait

mkdir -p "$CHECKOUT/build"
{
	echo "| what the device does | the kernel's driver | this driver |"
	echo "| --- | --- | --- |"
	for ((i = 0; i < ${#FAULTS[@]}; i++)); do
		echo "| ${FAULTS[i]} | $(verdict "$scratch/$i.c") | $(verdict "$scratch/$i.rust") |"
	done
} >"$CHECKOUT/build/faults.md"

echo "KTAP version 1"
echo "1..${#FAULTS[@]}"
sed 's/^/# /' "$CHECKOUT/build/faults.md"
failed=0
for ((i = 0; i < ${#FAULTS[@]}; i++)); do
	name=$(name_of "${FAULTS[i]}")
	ours=$(verdict "$scratch/$i.rust")
	case $ours in
	survives*) echo "ok $((i + 1)) $name" ;;
	'not tried: the device'*) echo "ok $((i + 1)) $name # SKIP $ours" ;;
	*)
		sed 's/^/# /' "$scratch/$i.rust" "$scratch/$i.rust.err"
		echo "not ok $((i + 1)) $name # $ours"
		failed=1
		;;
	esac
done
exit $failed

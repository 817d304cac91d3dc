#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Usage: tests/checkers.sh [debug|kcsan]
#:
#: A test of the tests: plants mistakes (tests/planted) in guests with the debug kernel, or
#: with the one that watches for data races, one of each kind that its checkers are there
#: for. scripts/guest has to fail, and to show the report of each; and has to pass where
#: nothing is wrong. Prints KTAP.

set -uo pipefail
. "$(dirname -- "$0")/../scripts/lib/common.sh"

kind=debug
case ${1:-} in
'' | debug) ;;
kcsan) kind=kcsan ;;
-h | --help)
	show_help
	exit 0
	;;
*) die_usage "unknown kernel ${1:-}; there are debug and kcsan" ;;
esac

# What shows each: a line that scripts/guest prints about it.
declare -A REPORTS=(
	[use_after_free]='BUG: KASAN: slab-use-after-free in planted_use_after_free'
	[out_of_bounds]='BUG: KASAN: slab-out-of-bounds in planted_out_of_bounds'
	[double_free]='BUG: KASAN: double-free in planted_double_free'
	[leak]='unreferenced object 0x[0-9a-f]+ \(size 8192\)'
	[warning]='WARNING: .*planted_warning'
	[lock_order]='possible circular locking dependency'
	[wait_context]='BUG: Invalid wait context'
	[atomic_sleep]='BUG: sleeping function called from invalid context at .*planted-bugs\.c'
	[rcu_usage]='WARNING: suspicious RCU usage'
	[list_corruption]='list_del corruption'
	[refcount]='refcount_t: '
	[active_timer]='ODEBUG: free active .*timer_list'
	[dma_size]='DMA-API: .*device driver frees DMA memory with different size'
	[hung_task]='INFO: task .* blocked for more than'
	[data_race]='BUG: KCSAN: data-race in planted_racing_thread'
)

# Which of them go into one guest, which has to go on after each. Lockdep ends with the first
# report of a wrong lock, and with the first one of KASAN's; and scripts/guest shows no more
# than 20 lines.
if [ "$kind" = debug ]; then
	GUESTS=("atomic_sleep rcu_usage lock_order hung_task leak"
		"wait_context warning list_corruption refcount active_timer dma_size out_of_bounds use_after_free double_free")
	GUEST_OPTIONS=(--append kasan_multi_shot --kmemleak)
	CONTROL=(nothing)
	CONTROL_OPTIONS=(--kmemleak)
else
	GUESTS=("data_race")
	GUEST_OPTIONS=()
	CONTROL=(nothing marked_race)
	CONTROL_OPTIONS=()
fi

scratch=$(mktemp -d /tmp/gpio-virtio-checkers.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
module=$("$CHECKOUT/scripts/build-module" --kernel "$kind" --source "$CHECKOUT/tests/planted" --name planted-bugs.ko) ||
	die "there is no module to plant mistakes with (see above)"

# plant NAME PANIC OPTION... -- BUG...: boots a guest and makes these mistakes in it; whether
# a warning is its end, 0 or 1. How it ended is in $scratch/NAME.rc, and what the kernel
# complained about in $scratch/NAME.complaints.
plant() {
	local name=$1 panic=$2 options=() rc=0
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	# shellcheck disable=SC2016 # expanded in the guest
	"$CHECKOUT/scripts/guest" --kernel "$kind" --no-module --timeout 600 ${options[@]+"${options[@]}"} -- sh -ec '
		insmod "$1"
		[ "$2" = 1 ] || echo 0 >/proc/sys/kernel/panic_on_warn
		shift 2
		echo 3 >/proc/sys/kernel/hung_task_timeout_secs
		for bug; do
			echo "$bug" >/sys/kernel/debug/planted-bugs/plant
			echo "planted: $bug"
		done
	' sh "$module" "$panic" "$@" >"$scratch/$name.out" 2>"$scratch/$name.err" </dev/null || rc=$?
	echo "$rc" >"$scratch/$name.rc"
	# What is set in is the end of the log, whatever it has to say.
	grep -v '^  | ' "$scratch/$name.err" >"$scratch/$name.complaints" || true
}

status() { cat "$scratch/$1.rc"; }

# explain NAME: what a guest had to say, once.
explain() {
	[ ! -e "$scratch/$1.explained" ] || return 0
	: >"$scratch/$1.explained"
	sed 's/^/# /' "$scratch/$1.out" "$scratch/$1.err"
}

number=0
failed=0
# result NAME COMMAND...: a test, which passes if the command succeeds.
result() {
	local name=$1
	shift
	number=$((number + 1))
	if "$@"; then
		echo "ok $number $name"
	else
		echo "not ok $number $name"
		failed=1
	fi
}

# passes GUEST: nothing was wrong, and so it was found.
passes() {
	if [ "$(status "$1")" != 0 ] || ! grep -qx "planted: ${CONTROL[-1]}" "$scratch/$1.out"; then
		echo "# a guest in which nothing is wrong: status $(status "$1")"
		explain "$1"
		return 1
	fi
}

# is_seen GUEST BUG
is_seen() {
	grep -qx "planted: $2" "$scratch/$1.out" || {
		echo "# it was not planted; status $(status "$1")"
		explain "$1"
		return 1
	}
	[ "$(status "$1")" = 125 ] || {
		echo "# the guest has status $(status "$1"), wanted 125"
		return 1
	}
	grep -qE "${REPORTS[$2]}" "$scratch/$1.complaints" || {
		echo "# no report like '${REPORTS[$2]}'; there are:"
		sed 's/^/# /' "$scratch/$1.complaints"
		return 1
	}
}

# A warning ends the guest, where nobody has told it to go on.
ends_the_guest() {
	if [ "$(status warned)" != 125 ] || grep -q '^planted: warning' "$scratch/warned.out" ||
		! grep -q 'its kernel crashed' "$scratch/warned.err" ||
		! grep -qE "${REPORTS[warning]}" "$scratch/warned.complaints"; then
		echo "# the guest has status $(status warned)"
		explain warned
		return 1
	fi
}

bugs=()
for list in "${GUESTS[@]}"; do
	read -r -a words <<<"$list"
	bugs+=("${words[@]}")
done
echo "KTAP version 1"
if [ "$kind" = debug ]; then echo "1..$((${#bugs[@]} + 2))"; else echo "1..$((${#bugs[@]} + 1))"; fi

plant control 1 ${CONTROL_OPTIONS[@]+"${CONTROL_OPTIONS[@]}"} -- "${CONTROL[@]}"
result nothing_is_wrong passes control
if [ "$kind" = debug ]; then
	plant warned 1 -- warning
	result a_warning_ends_the_guest ends_the_guest
fi
for ((guest = 0; guest < ${#GUESTS[@]}; guest++)); do
	read -r -a words <<<"${GUESTS[guest]}"
	plant "guest$guest" 0 ${GUEST_OPTIONS[@]+"${GUEST_OPTIONS[@]}"} -- "${words[@]}"
	for bug in "${words[@]}"; do
		result "${bug}_is_seen" is_seen "guest$guest" "$bug"
	done
done
exit $failed

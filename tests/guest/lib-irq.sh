# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of interrupts share, besides lib.sh: consumers of them in the kernel
# (tests/consumer, the module in $GPIO_CONSUMER) and in user space.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

CONSUMER=/sys/kernel/debug/gpio-irq-consumer
[ -e "$CONSUMER/calls" ] || insmod "$GPIO_CONSUMER"

# The labels of the devices' chips, in the order in which they were given. The standard's
# devices have none of their own.
mapfile -t LABELS < <(sed -n 's/^#guest: --device .*,label=\([^,]*\).*/\1/p' "$0")
[ "$PROTOCOL" = rfc ] || LABELS=("${DEVICES[@]}")

# consumer FILE K WORDS...: gives a command about a line of device K.
consumer() {
	local file=$1 k=$2
	shift 2
	echo "${LABELS[k]} $*" >"$CONSUMER/$file"
}

# consumer_fails ERROR FILE K WORDS...: the command must fail, with this error.
consumer_fails() {
	local error=$1 output
	shift
	output=$(consumer "$@" 2>&1) && fail "this should have failed: consumer $*"
	expect_match "$output" "$error" "consumer $*"
}

# calls K LINE KEY: what is counted about a consumer, the last one of the line.
calls() {
	local label line words word value=
	while read -r label line words; do
		[ "$label $line" = "${LABELS[$1]} $2" ] || continue
		for word in $words; do
			[ "${word%%=*}" != "$3" ] || value=${word#*=}
		done
	done <"$CONSUMER/calls"
	echo "$value"
}

calls_are() { [ "$(calls "$1" "$2" "$3")" = "$4" ]; }

# ends_at K LINE KEY N: so many calls come, and no more.
ends_at() {
	# Why it does not come to that is for the comparison to say.
	(wait_for calls_are "$@") >/dev/null || true
	sleep 0.4
	expect_eq "$(calls "$1" "$2" "$3")" "$4" "$3 calls for line $2 of device $1"
}

# interrupt K LINE: the line of /proc/interrupts about a line of device K, if it has
# a consumer.
interrupt() {
	awk -v chip="$(virtio_name "$1")" -v line="$2" '
		{ for (i = 2; i < NF; i++) if ($i == chip && $(i + 1) == line && NF > i + 1) print }
	' /proc/interrupts
}

is_interrupt() { [ -n "$(interrupt "$1" "$2")" ]; }

# nudge K LINE LEVEL...: drives a line from outside, to one level after the other.
nudge() {
	local k=$1 line=$2 level
	shift 2
	for level; do
		ctl "$k" set "$line" "$level"
	done
}

# called_in_an_interrupt K LINE: the last call of the handler was in hard interrupt
# context. On PREEMPT_RT an interrupt of the bus has a thread.
called_in_an_interrupt() {
	local wanted=1
	[ "${GPIO_GUEST:-}" != rt ] || wanted=0
	expect_eq "$(calls "$1" "$2" in_hardirq)" $wanted "hard interrupt context"
}

# is_output K LINE: whether the guest drives the line.
is_output() { [[ $(ctl "$1" get "$2") == out* ]]; }

bursts_are() { [ "$(stat "$1" bursts)" = "$2" ]; }
owes_nothing() { [ "$(stat "$1" owed)" = 0 ]; }

# wait_long COMMAND...: as wait_for, for what takes longer on a slow machine.
wait_long() {
	local start=$SECONDS
	until "$@" 2>/dev/null; do
		[ $((SECONDS - start)) -lt 300 ] || fail "this did not happen within 300 seconds: $*"
		sleep 0.2
	done
}

# What a test has started or taken is gone when it ends, however it ends; its lines
# are low inputs then, and nothing is wired.
helpers=()
clean_up() {
	local pid k line
	for pid in "${helpers[@]}"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	echo all >"$CONSUMER/free"
	for k in "${!LABELS[@]}"; do
		ctl "$k" fault none
		wait_long bursts_are "$k" 0
		calm_lines "$k"
		is_bound "$k" || bind "$k"
	done
}

# calm_lines K: all at once, as this is done often. There need not be a wire.
calm_lines() {
	local port line
	exec {port}<>"/dev/virtio-ports/gpio-control.$1"
	for line in {0..7}; do
		printf 'unwire %s\nset %s 0\n' "$line" "$line"
	done >&"$port"
	for line in {0..15}; do
		IFS= read -r -t 20 <&"$port" || fail "device $1 does not answer"
	done
	exec {port}>&-
}

# To be called first in each test.
clean_slate() { trap clean_up EXIT; }

is_gone() { ! kill -0 "$1" 2>/dev/null; }

# monitor K LINE OPTION...: starts gpiomon, and waits until it watches the line. What
# it prints can be read from $monitor: the line's number and the edge.
monitor() {
	local k=$1 line=$2 banner
	shift 2
	exec {monitor}< <(exec gpiomon --banner --format "%o %E" -c "$(chip "$k")" "$@" "$line" 2>&1)
	monitor_pid=$!
	helpers+=("$monitor_pid")
	read -r -t 60 banner <&"$monitor" || fail "gpiomon says nothing"
	expect_match "$banner" "^Monitoring line" "gpiomon's first line"
}

# monitor_says WHAT: the next line of gpiomon is this.
monitor_says() {
	local line=
	read -r -t 20 line <&"$monitor" || true
	expect_eq "$line" "$1" "what gpiomon printed"
}

# Ends gpiomon.
stop_monitor() {
	kill "$monitor_pid"
	wait "$monitor_pid" 2>/dev/null || true
	exec {monitor}<&-
}

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Usage: tests/guest/fault.sh FAULT
#:
#: What one thing that a device does wrong does to a driver, step by step; tests/faults.sh
#: makes a table of it. FAULT is one of the device's, or "config KEY=VALUE...", with which
#: the device is bound anew. A step is printed as soon as it has ended, as what comes next
#: may be the guest's end:
#:
#:   bind=       whether a device with that configuration is refused: bound, refused, hang
#:   get= set=   a request while the fault is in force: right, wrong (it succeeded, but the
#:               device knows nothing of it), error, hang (with KILL it did not end either)
#:               or slow (with KILL it did)
#:   next=       a request after that
#:   edge=       whether an edge arrives after that: right, error
#:   unbind= rebind= after= rmmod=
#:               whether the device can be unbound, bound again and used, and the driver
#:               unloaded
#:   kernel=     whether the kernel complained: quiet, complains
#:   end=        right

. "$(dirname -- "$0")/lib.sh"

FAULT=$1
# In seconds. Ours ends a request long before.
LIMIT=10

say() { echo "$1=$2"; }

# Whether a process of ours has ended within the limit.
has_ended() { # PID
	local i
	for ((i = 0; i < LIMIT * 10; i++)); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	return 1
}

# run COMMAND...: its output in $output, how it ended in $ended: right, error, slow or hang.
run() {
	local pid
	"$@" >/run/output 2>&1 </dev/null &
	pid=$!
	ended=slow
	if has_ended $pid; then
		ended=right
		wait $pid || ended=error
	else
		kill -KILL $pid
		sleep 1
		! kill -0 $pid 2>/dev/null || ended=hang
	fi
	output=$(cat /run/output)
}

# get LINE LEVEL: what comes of reading a line that has this level, or one like it.
get() {
	run gpioget --numeric -c "$CHIP" "$1"
	# shellcheck disable=SC2053 # it is a pattern
	if [ "$ended" = right ] && [[ $output != $2 ]]; then ended=wrong; fi
	echo "# gpioget: $ended, '$output'"
}

# set_line LINE: what comes of making a line a high output. Who has set it keeps it.
set_line() {
	local pid i
	gpioset --banner -c "$CHIP" "$1=1" >/run/output 2>&1 </dev/null &
	pid=$!
	ended=slow
	for ((i = 0; i < LIMIT * 10; i++)); do
		if ! kill -0 $pid 2>/dev/null; then
			ended=error
			break
		elif grep -q Setting /run/output; then
			ended=right
			drives 0 "$1" 1 || ended=wrong
			break
		fi
		sleep 0.1
	done
	kill -KILL $pid 2>/dev/null
	sleep 1
	if [ $ended = slow ] && kill -0 $pid 2>/dev/null; then ended=hang; fi
	echo "# gpioset: $ended, '$(cat /run/output)'"
}

# tell COMMAND: to the device, which may be gone.
tell() { (ctl 0 "$*") >/dev/null; }

# bound K: as bind, and nobody needs to wait for it.
rebind() { echo "${DEVICES[0]}" >"$DRIVER/bind"; }

rise() {
	tell set 2 0
	tell set 2 1
}

# edge_arrives: gpiomon, which was there before the fault was, prints one more.
edge_arrives() {
	local before i
	before=$(wc -l </run/edges)
	for ((i = 0; i < 5; i++)); do
		rise
		sleep 0.4
		[ "$(wc -l </run/edges)" = "$before" ] || return 0
	done
	return 1
}

CHIP=$(chip 0)
[ -n "$CHIP" ] || {
	echo "# there is no chip to begin with"
	exit 4
}
case $FAULT in
'config '*)
	unbind 0
	tell "$FAULT" || exit 3
	run rebind
	echo "# bind: $ended, '$output'"
	case $ended in
	right) say bind bound ;;
	error) say bind refused ;;
	*) say bind hang ;;
	esac
	if [ $ended = right ]; then
		CHIP=$(chip 0)
		tell set 1 1
		run gpioinfo -c "$CHIP"
		get 1 1
		say get $ended
	fi
	calm='config lines=8'
	;;
*)
	tell set 1 1
	gpiomon -c "$CHIP" 2 >/run/edges 2>&1 </dev/null &
	monitor=$!
	wait_for held 0 2
	tell fault "$FAULT" || exit 3
	# A device that was started again is not driven from outside.
	[ "$FAULT" = crash ] && level='[01]' || level=1
	get 1 "$level"
	say get $ended
	set_line 3
	say set $ended
	rise || true
	sleep 0.5
	tell fault none || true
	tell fault release || true
	tell set 1 1 || true
	calm='fault none'
	get 1 1
	say next $ended
	if edge_arrives; then say edge right; else say edge error; fi
	kill -KILL $monitor 2>/dev/null
	# It gives its interrupt back, and gpiolib does not bear that at the same time.
	has_ended $monitor || true
	;;
esac

run unbind 0
# One that was refused cannot be unbound.
if [ $ended = error ] && ! is_bound 0; then ended=right; fi
say unbind $ended
tell "$calm" || true
run rebind
say rebind $ended
CHIP=$(chip 0)
tell set 1 1
get 1 1
say after $ended
run rmmod gpio_virtio
say rmmod $ended
if dmesg | grep -qE 'WARNING: |BUG: |Oops|general protection|INFO: task .* blocked'; then
	say kernel complains
	dmesg | grep -E 'WARNING: |BUG: |Oops|general protection|INFO: task .* blocked' | head -n 3 | sed 's/^/# /'
else
	say kernel quiet
fi
say end right

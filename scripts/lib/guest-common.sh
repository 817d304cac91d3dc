# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What scripts/lib/guest-inside and scripts/lib/guest-uml share: the devices, and
# the waiting. Sourced by them, inside the lab.

ME=guest

say() { printf '%s: %s\n' "$ME" "$*" >&2; }

die() {
	say "$*"
	exit 125
}

# The virtio device ID of a protocol.
virtio_id() { # PROTOCOL
	case $1 in
	rfc) echo 30 ;;
	standard) echo 41 ;;
	*) die "there is no protocol $1" ;;
	esac
}

# Starts device K, behind a guard if there is one. Sets $sock and $control, its sockets,
# and $size, that of its configuration.
start_device() { # K DEVICE GUARD SOCKETS LOG ARGUMENT...
	local k=$1 device=$2 guard=$3 sockets=$4 log=$5
	shift 5
	sock=/run/gpio/$k.sock
	control=${sockets:-/run/gpio}/$k.control
	rm -f "$control"
	# It checks its arguments itself and says what is wrong with them.
	if ! size=$("$device" --socket "$sock" "$@" --control "$control" --print-config-size 2>/run/gpio/error); then
		say "device $k cannot be made: $(sed -n '/./{s/^[a-z-]*: //p;q}' /run/gpio/error)"
		exit 2
	fi
	[[ $size =~ ^[0-9]+$ ]] || die "$device --print-config-size printed '$size', not a number"
	if [ -n "$guard" ]; then
		set -- "$guard" --socket "$sock" --control "$control" -- "$device" "$@"
	else
		set -- "$device" --socket "$sock" --control "$control" "$@"
	fi
	"$@" >"$log.device$k" 2>&1 </dev/null &
	started+=($!)
}

# Waits until the devices that were started listen on their sockets.
wait_for_devices() { # SOCKETS LOG
	local sockets=$1 log=$2 deadline=$((SECONDS + 10)) i
	for ((i = 0; i < ${#started[@]}; i++)); do
		until [ -S "/run/gpio/$i.sock" ] && [ -S "${sockets:-/run/gpio}/$i.control" ]; do
			if ! kill -0 "${started[i]}" 2>/dev/null; then
				cat "$log.device$i" >&2
				die "device $i ended before it was used (see above)"
			fi
			[ "$SECONDS" -lt "$deadline" ] || die "device $i did not make its sockets within 10 seconds"
			sleep 0.02
		done
	done
}

# Waits for a process of ours to end; fails if it has not after so many seconds.
ends_within() { # SECONDS PID
	local clock
	sleep "$1" &
	clock=$!
	# (Without the shell's own words about a process that was killed.)
	wait -n "$2" "$clock" 2>/dev/null || true
	! kill -0 "$2" 2>/dev/null || return
	kill "$clock" 2>/dev/null || true
}

# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# What the tests of dying devices share, besides lib-irq.sh.

. "$(dirname -- "${BASH_SOURCE[0]}")/lib-irq.sh"

# Tests of what happens when the time is over use the short limit. Those of what
# happens before use the long one, which a slow machine does not reach by being slow.
# shellcheck disable=SC2034 # they are the caller's
SHORT=2000
# shellcheck disable=SC2034
LONG=60000

# limit MS: loads the driver with another time limit, if it does not have that one.
limit() {
	[ "$(cat /run/limit)" != "$1" ] || return 0
	rmmod gpio_virtio
	# Not modprobe: it would add what the kernel's command line says.
	insmod "$(modinfo -n gpio_virtio)" "timeout_ms=$1"
	echo "$1" >/run/limit
}

# guard K WORD...: an order to the one who starts device K again.
guard() {
	local k=$1
	shift
	ctl "$k" guard "$@"
}

# resets K: how often the driver has reset device K since it was bound.
resets() { sed -n 's/^resets: *//p' "/sys/kernel/debug/gpio_virtio.$(virtio_name "$1")/state"; }

resets_are() { [ "$(resets "$1")" = "$2" ]; }

# messages K [PATTERN]: how many the kernel's log has about device K since the mark.
messages() { log_since | grep "gpio_virtio $(virtio_name "$1")" | grep -cE -- "${2:-.}" || true; }

get() { gpioget --numeric -c "$(chip "$1")" "$2"; }

# works K LINE: a line can be set, as the device says, and read.
works() {
	local k=$1 line=$2 level
	for level in 1 0; do
		gpioset -t0 -c "$(chip "$k")" "$line=$level" || return
		# With ID 41 nobody has it any more.
		[ "$PROTOCOL" = standard ] || drives "$k" "$line" "$level" || return
		# By that it is an input.
		[[ "$(get "$k" "$line")" == [01] ]] || return
	done
}

# is_armed K LINE TYPE: what the device is to report of a line; some always report all.
is_armed() { [[ "$(ctl "$1" irq "$2")" =~ ^($3|all)$ ]]; }

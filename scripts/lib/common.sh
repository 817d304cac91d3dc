# shellcheck shell=bash
# shellcheck disable=SC2034 # variables for the scripts that source this
# SPDX-License-Identifier: GPL-2.0
#
# What the scripts share: where things are, how to speak, how to become root.
# Sourced, never run. The script that sources it sets `set -euo pipefail`.

# The checkout this file belongs to.
CHECKOUT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

# The lab: everything that is built or downloaded, outside the checkout, so that
# a clean clone finds it again.
LAB=${LAB:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/gpio-virtio}
case $LAB in
/*) ;;
*) LAB=$PWD/$LAB ;;
esac
export LAB

LAB_ROOT=$LAB/root       # a Debian root: the toolchain, QEMU, and the guest's user land
LAB_KERNELS=$LAB/kernels # built kernels, one folder each
LAB_LOG=$LAB/log         # what the last step printed
LAB_CARGO=$LAB/cargo     # CARGO_HOME
# cargo takes another checkout's crates for its own, so each has a folder.
LAB_TARGET=$LAB/target/$(printf "%s" "$CHECKOUT" | sha256sum | cut -c1-12)
# What is built from this very checkout.
LAB_BUILD=$LAB/build/$(printf '%s' "$CHECKOUT" | sha256sum | cut -c1-12)

KERNEL_SERIES=7.3
KERNEL_PACKAGE=linux-source-$KERNEL_SERIES
DEBIAN_SUITE=trixie

ME=${0##*/}

say() { printf '%s: %s\n' "$ME" "$*" >&2; }

die() {
	printf '%s: %s\n' "$ME" "$*" >&2
	exit 1
}

# A wrong call: exit status 2, as the shell itself has it.
die_usage() {
	printf '%s: %s (see %s --help)\n' "$ME" "$*" "$0" >&2
	exit 2
}

# Print the comment block at the top of the script, between "#:" marks.
show_help() { sed -n 's/^#: \{0,1\}//p' "$0"; }

is_root() { [ "$(id -u)" = 0 ]; }

# Run a command as root.
as_root() {
	if is_root; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		die "this needs root; run it as root, or install sudo and allow this user to use it"
	fi
}

# "m:ss" for a number of seconds.
minutes() { printf '%d:%02d' "$(($1 / 60))" "$(($1 % 60))"; }

# The version of a package in the lab; empty if it is not there.
lab_version() {
	# shellcheck disable=SC2016 # dpkg-query's own variables
	dpkg-query --admindir="$LAB_ROOT/var/lib/dpkg" -W -f '${Version}' "$1" 2>/dev/null || true
}

lab_exists() { [ -x "$LAB_ROOT/usr/bin/env" ]; }

# KDIR may be named relative to the current folder.
KDIR_DEFAULT=${KDIR:-}

# A kernel build folder of the user's: can a Rust module be built against it?
check_kdir() {
	[ -d "$1" ] || die "KDIR=$1 is not a folder; it must be a kernel's build folder"
	[ -f "$1/.config" ] || die "$1 is not a configured kernel build folder: it has no .config"
	grep -qx 'CONFIG_RUST=y' "$1/.config" || die "the kernel in $1 was configured without CONFIG_RUST; turn it on and build it"
	if [ ! -f "$1/Module.symvers" ] || [ ! -d "$1/rust" ]; then die "the kernel in $1 is not built yet; run make in it"; fi
}

# Hold a lock until the script ends; say so if that takes waiting.
lock() { # NAME WHY
	local fd
	mkdir -p "$LAB/lock"
	exec {fd}>>"$LAB/lock/$1"
	if ! flock -n "$fd"; then
		say "$2; waiting for it"
		flock "$fd"
	fi
}

need_value() { [ "$2" -ge 2 ] || die_usage "$1 needs a value"; }

# Everything a guest with this kernel needs is there, or gets made now.
ensure_lab() { # normal|debug|uml|all
	"$CHECKOUT/scripts/lab" --need "$1"
}

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
#: Usage: tests/in-tree.sh
#:
#: Builds the driver as a part of the kernel, as a module and built in, and boots
#: both. The lab's kernel source and its build stay as they are: the work is done in
#: overlays, where only what the driver changes is built again. Prints KTAP.

set -euo pipefail
. "$(dirname -- "$0")/../scripts/lib/common.sh"
export ME

case ${1:-} in
-h | --help)
	show_help
	exit 0
	;;
esac

kdir=$("$CHECKOUT/scripts/kernel" normal)
source=$(readlink -f "$kdir/source")
work=$LAB_BUILD/in-tree-${kdir##*/}
mkdir -p "$work"/{upper,work}/{source,kernel} "$work/out"

# Runs a command where the lab's source and kernel can be written to, without effect
# on them: what is written goes to $work.
overlaid() { # COMMAND...
	# shellcheck disable=SC2016 # expanded inside
	"$CHECKOUT/scripts/in-lab" bash -c '
		set -euo pipefail
		source=$1 kdir=$2 work=$3
		shift 3
		mount -t overlay overlay -o "lowerdir=$source,upperdir=$work/upper/source,workdir=$work/work/source" "$source"
		mount -t overlay overlay -o "lowerdir=$kdir,upperdir=$work/upper/kernel,workdir=$work/work/kernel" "$kdir"
		"$@"
	' bash "$source" "$kdir" "$work" "$@"
}

# In the overlays: the whole of it for one of m and y.
build() { # m|y
	local config=$kdir/.config
	"$CHECKOUT/scripts/integrate" "$source"
	"$source/scripts/config" --file "$config" --disable GPIO_VIRTIO_C --set-val GPIO_VIRTIO "$1" \
		--disable KUNIT_ALL_TESTS
	make -s -C "$kdir" LLVM=1 olddefconfig
	grep -qx "CONFIG_GPIO_VIRTIO=$1" "$config"
	if grep '^CONFIG_GPIO_VIRTIO_C=' "$config"; then return 1; fi
	make -C "$kdir" LLVM=1 -j"$(nproc)" bzImage modules
	rm -rf "$work/out/$1"
	mkdir -p "$work/out/$1"
	make -s -C "$kdir" LLVM=1 INSTALL_MOD_PATH="$work/out/$1" modules_install
	cp "$kdir/arch/x86/boot/bzImage" "$work/out/$1/"
}

# Whether both drivers can be chosen at once: they must not.
choose_both() {
	local config=$kdir/.config
	"$source/scripts/config" --file "$config" --module GPIO_VIRTIO_C --module GPIO_VIRTIO
	make -s -C "$kdir" LLVM=1 olddefconfig
	[ "$(grep -cE '^CONFIG_GPIO_VIRTIO(_C)?=[my]' "$config")" = 1 ]
}

if [ "${1:-}" = --inside ]; then
	shift
	"$@"
	exit
fi

test=$CHECKOUT/tests/guest/lines.sh
mapfile -t devices < <(sed -n 's/^#guest: //p' "$test" | tr ' ' '\n')

boot() { # m|y
	local options=(--kernel-image "$work/out/$1/bzImage")
	[ "$1" = y ] || options+=(--modules "$(echo "$work/out/$1"/lib/modules/*)")
	# Where it is from is all that is different.
	[ "$1" = m ] || export GPIO_BUILT_IN=1 TEST_ONLY='log|names|reach|come_from|messages|many_lines'
	"$CHECKOUT/scripts/guest" --module kernel "${options[@]}" "${devices[@]}" -- "$test"
}

echo "KTAP version 1"
echo "1..5"
number=0
failed=0
check() { # NAME COMMAND...
	local name=$1 output
	shift
	number=$((number + 1))
	if output=$("$@" 2>&1); then
		echo "ok $number $name"
	else
		tail -n 40 <<<"$output" | sed 's/^/# /'
		echo "not ok $number $name"
		failed=1
	fi
}

check module_builds_in_tree overlaid "$0" --inside build m
check module_in_tree_drives_lines boot m
check built_in_builds_in_tree overlaid "$0" --inside build y
check built_in_drives_lines boot y
check not_both_drivers_at_once overlaid "$0" --inside choose_both
exit $failed

# SPDX-License-Identifier: GPL-2.0
#
# What `make` does for a person. Included by the Makefile, outside of kbuild.

.DEFAULT_GOAL := help
.PHONY: help lab module device demo demo-shell test test-all test-uml test-hostile bench bench-quick check-style clean

# These may be given on the command line, and the scripts read them.
export LAB KDIR KDIR_DEBUG QEMU JOBS V

# An empty setting is none.
$(foreach v,LAB KDIR KDIR_DEBUG QEMU JOBS V,$(if $(strip $($(v))),,$(eval unexport $(v))))

help:
	@echo 'A virtio GPIO driver for Linux, in Rust.'
	@echo
	@echo '  make demo         boot a guest and move the lines of a virtual GPIO device in it'
	@echo '  make demo-shell   the same guest, and a prompt in it'
	@echo '  make test         all tests but the long ones'
	@echo '  make test-all     all tests'
	@echo '  make test-uml     those that need no virtual machine, in a few minutes; part of make test'
	@echo '  make test-hostile devices that do everything wrong, on the debug kernel; part of make test-all'
	@echo "  make bench        measure the driver beside the kernel's own, in a quarter of an hour"
	@echo '  make bench-quick  the same in less than five minutes'
	@echo '  make check-style  formatting and lints; part of make test'
	@echo '  make lab          only the set-up: toolchain, QEMU and guest kernels (the others run it)'
	@echo '  make module       the driver as an external module, for the guest or for KDIR'
	@echo '  make device       the device that the driver is run against'
	@echo '  make clean        remove what was built from this checkout (the lab stays)'
	@echo
	@echo 'LAB=FOLDER   where the lab is (default ~/.cache/gpio-virtio)'
	@echo 'KDIR=FOLDER  a kernel build folder of yours: configured with Rust, and built'
	@echo 'QEMU=FILE    your own qemu-system-x86_64, 10.2 or newer'
	@echo 'Needs root or sudo, Debian 12 or newer, 15 GB of disk and, the first time, 40 minutes.'

lab:
	@scripts/lab

# A kernel of the user's own needs no lab if his own compiler fits.
module:
	@$(if $(strip $(KDIR)),,scripts/lab --need normal &&) scripts/build-module

device:
	@scripts/lab --need tools && scripts/build-device

demo:
	@scripts/demo

demo-shell:
	@scripts/demo --shell

test:
	@scripts/test

test-all:
	@scripts/test --all

test-uml:
	@scripts/test --uml

test-hostile:
	@scripts/test --hostile

bench:
	@scripts/bench

bench-quick:
	@scripts/bench --quick

check-style:
	@scripts/lab --need normal && scripts/check-style

clean:
	@scripts/lab --clean

# SPDX-License-Identifier: GPL-2.0
#
# Read by kbuild, this describes the module: in a kernel tree it is
# drivers/gpio/gpio-virtio/Makefile, outside of one `make -C KDIR M=...` reads
# it. Called by a person (`make demo`, `make test`), it is the front door.

ifneq ($(KERNELRELEASE),)

ifdef KBUILD_EXTMOD
# Nobody reads our Kconfig here: the kernel's CONFIG_GPIO_VIRTIO is that of its
# own driver. The tests come with `make ... CONFIG_GPIO_VIRTIO_KUNIT_TEST=y`.
obj-m				:= gpio-virtio.o
else
obj-$(CONFIG_GPIO_VIRTIO)	:= gpio-virtio.o
endif

gpio-virtio-y			:= gpio_virtio.o abstractions/helpers.o
gpio-virtio-$(CONFIG_TRACEPOINTS) += abstractions/trace.o

# The trace events' header includes itself, by its path from here.
CFLAGS_abstractions/trace.o	:= -I$(src)

ifdef KBUILD_EXTMOD
ifeq ($(CONFIG_GPIO_VIRTIO_KUNIT_TEST),y)
RUSTFLAGS_gpio_virtio.o		:= --cfg CONFIG_GPIO_VIRTIO_KUNIT_TEST
endif
endif

include $(src)/abstractions/bindings.mk

else

include scripts/front-door.mk

endif

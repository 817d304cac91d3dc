#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Binds a device again and again, each time with another allocation that fails: fail-bind.py DEVICE EVERY

First the first allocation that the bind makes fails, then the second, and so on, until a bind
makes fewer than that. If EVERY is more than 1 then it is only every second of them, or third, and so
on, beginning anywhere. Prints how many binds failed, and how many got along without the memory.
Needs a kernel with fault injection (CONFIG_FAILSLAB).
"""

import errno
import os
import random
import sys

DRIVER = "/sys/bus/virtio/drivers/gpio_virtio"
FAILSLAB = "/sys/kernel/debug/failslab"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def main():
    device, every = sys.argv[1], int(sys.argv[2])
    name = device.encode()
    # Not only allocations that must not sleep, and no stack for each in the log.
    write(f"{FAILSLAB}/ignore-gfp-wait", "N")
    write(f"{FAILSLAB}/verbose", "0")

    failed = survived = 0
    for nth in range(random.randint(1, every), 2000, every):
        bind = os.open(f"{DRIVER}/bind", os.O_WRONLY)
        fail_nth = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
        error = 0
        os.write(fail_nth, b"%d" % nth)
        try:
            os.write(bind, name)
        except OSError as reason:
            error = reason.errno
        left = int(os.pread(fail_nth, 16, 0).rstrip(b"\0\n"))
        os.pwrite(fail_nth, b"0", 0)
        os.close(fail_nth)
        os.close(bind)

        bound = os.path.exists(f"{DRIVER}/{device}")
        if bound == bool(error):
            sys.exit(f"allocation {nth}: the bind said {error}, but bound is {bound}")
        # EINVAL is what gpiolib makes of a domain of interrupts that has no memory.
        if error not in (0, errno.ENOMEM, errno.ENODEV, errno.EIO, errno.EINVAL):
            sys.exit(f"allocation {nth}: the bind failed with {errno.errorcode[error]}")
        if bound:
            write(f"{DRIVER}/unbind", device)
        if left:
            print(f"{failed} binds failed, {survived} got along without the memory")
            return
        failed += bool(error)
        survived += not error
    sys.exit("a bind with 2000 allocations: this does not end")


main()

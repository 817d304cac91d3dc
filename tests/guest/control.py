# SPDX-License-Identifier: GPL-2.0
"""What guest tests in Python share: a device's control channel, and comparisons."""

import errno
import sys
import time


def open_port(device):
    """Opens a device's control channel, which somebody else may have just now."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return open(f"/dev/virtio-ports/gpio-control.{device}", "r+b", buffering=0)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def ctl(command, device=0):
    """Gives a device a command; returns what comes after "ok"."""
    with open_port(device) as port:
        port.write(command.encode() + b"\n")
        reply = b""
        while not reply.endswith(b"\n"):
            reply += port.read(1)
    status, _, rest = reply.decode().strip().partition(" ")
    expect(status, "ok", f"the device's answer to {command}")
    return rest


def expect(got, wanted, what):
    """Ends the program if something is not as it should be."""
    if got != wanted:
        sys.exit(f"{what}: got {got!r}, wanted {wanted!r}")

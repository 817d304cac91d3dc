# SPDX-License-Identifier: GPL-2.0
"""What guest tests in Python share: a device's control channel, and comparisons."""

import sys


def ctl(command, device=0):
    """Gives a device a command; returns what comes after "ok"."""
    with open(f"/dev/virtio-ports/gpio-control.{device}", "r+b", buffering=0) as port:
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

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Plugs device K in and out, by QEMU's monitor, which is a port in the guest:

qmp.py del K      asks the guest to let go of it, as one who presses the slot's button
qmp.py vanish K FILE
                  takes it away, the guest is not asked; writes the time when it does so to FILE
qmp.py gone K     waits until QEMU has it no more, a minute at most
qmp.py add K      plugs it in again

The device has to be one with the option hotplug of scripts/guest.
"""

import json
import os
import sys
import time

# Where the kernel shows the devices; those of a slot have the slot above them.
DEVICES = "/sys/bus/pci/devices"

# PCI Express capability, and registers of a slot in it.
PCI_CAPABILITIES = 0x34
PCI_EXPRESS = 0x10
SLOT_CAPABILITIES, SLOT_CONTROL = 0x14, 0x18
SLOT_NUMBER_SHIFT = 19
SLOT_INTERRUPT = 0x20
SLOT_POWER_INDICATOR_OFF, SLOT_POWER_OFF = 0x300, 0x400


class Monitor:
    """A connection to QEMU's monitor. It may have been used before, and what was said then can be
    waiting here, whole or in part.
    """

    def __init__(self):
        # pylint: disable=consider-using-with
        self.port = open("/dev/virtio-ports/qmp", "r+b", buffering=0)
        self.number = 0
        # The first one to come has to introduce itself; all others are told not to.
        self.ask({"execute": "qmp_capabilities"})

    def line(self):
        """What is said next."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.port.read(1)
        return line

    def ask(self, command):
        """Gives a command; returns the answer to it, and not to others."""
        self.number += 1
        name = f"{os.getpid()}-{self.number}"
        self.port.write(json.dumps(command | {"id": name}).encode() + b"\n")
        while True:
            try:
                said = json.loads(self.line())
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("id") == name:
                return said

    def do(self, command):
        """The same; ends the program if it fails."""
        answer = self.ask(command)
        if "error" in answer:
            sys.exit(f"{command['execute']}: {answer['error']['desc']}")
        return answer["return"]

    def has(self, device):
        """Whether QEMU has a device of this name."""
        path = {"path": "/machine/peripheral"}
        return any(p["name"] == device for p in self.do({"execute": "qom-list", "arguments": path}))


def slots():
    """Of each slot of the machine its number, a file of its registers, and where they are."""
    for name in os.listdir(DEVICES):
        config = f"{DEVICES}/{name}/config"
        with open(config, "rb") as file:
            registers = file.read(256)
        at = registers[PCI_CAPABILITIES]
        while at and at + SLOT_CONTROL + 2 <= len(registers):
            if registers[at] == PCI_EXPRESS:
                capabilities = int.from_bytes(
                    registers[at + SLOT_CAPABILITIES : at + SLOT_CAPABILITIES + 4], "little"
                )
                yield capabilities >> SLOT_NUMBER_SHIFT, config, at + SLOT_CONTROL
                break
            at = registers[at + 1]


def vanish(device, path):
    """Turns off the power of a slot, and its light: then QEMU takes out what is in it. That is for
    the slot's driver to do, when it has unbound the driver of what is in it. Here it is done behind
    its back: its interrupt is off meanwhile, and the slot is as before when it is on again. So what
    it gets to know is that the slot has power, and is empty.
    """
    for number, config, at in slots():
        if number != device + 1:
            continue
        with open(config, "r+b", buffering=0) as file:
            file.seek(at)
            before = int.from_bytes(file.read(2), "little")
            off = (before & ~SLOT_INTERRUPT) | SLOT_POWER_OFF | SLOT_POWER_INDICATOR_OFF
            with open(path, "w", encoding="ascii") as start:
                start.write(f"{time.time():.6f}\n")
            for control in (off, before):
                file.seek(at)
                file.write(control.to_bytes(2, "little"))
        return
    sys.exit(f"there is no slot {device + 1}")


def wait_until_gone(monitor, name):
    """As long as it is there, a new one cannot come."""
    limit = time.monotonic() + 60
    while monitor.has(name):
        if time.monotonic() > limit:
            sys.exit(f"QEMU still has {name}")
        time.sleep(0.02)


def main():
    """What is asked for."""
    action, device = sys.argv[1], int(sys.argv[2])
    name = f"plug{device}"
    if action == "vanish":
        # The monitor is not needed for that, and it would take time.
        vanish(device, sys.argv[3])
    elif action == "del":
        Monitor().do({"execute": "device_del", "arguments": {"id": name}})
    elif action == "gone":
        wait_until_gone(Monitor(), name)
    elif action == "add":
        monitor = Monitor()
        with open(f"{os.environ['GPIO_PLUGS']}/plug.{device}", encoding="ascii") as file:
            for command in file:
                monitor.do(json.loads(command))
    else:
        sys.exit(__doc__)


main()

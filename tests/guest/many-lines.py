#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Uses many lines by one call: many-lines.py CHIP K WHAT

CHIP is that of device K. What WHAT can be is below. Fails with the first difference from what
the device says on its control channel.
"""

import errno
import os
import sys

import gpiod
from gpiod.line import Direction, Value

# Nothing is left beside the tests.
sys.dont_write_bytecode = True
import control
from control import expect

CHIP, K, WHAT = sys.argv[1:]
PROTOCOL = os.environ.get("GPIO_PROTOCOL", "rfc")


def ctl(command):
    """Gives the chip's device a command."""
    return control.ctl(command, K)


def levels(seed):
    """A level for each line, which depend on seed."""
    return [Value((line * 7 + seed) % 3 == 0) for line in range(COUNT)]


def set_all(lines, values):
    """Sets all lines by one call."""
    lines.set_values(dict(enumerate(values)))


def seen_outside():
    """The levels of all lines, as the device has them."""
    return [Value(ctl(f"get {line}").split()[1] == "1") for line in range(COUNT)]


def values(lines):
    """They arrive, and they come back."""
    for seed in range(3):
        wanted = levels(seed)
        set_all(lines, wanted)
        expect(seen_outside(), wanted, "levels outside")
        expect(lines.get_values(), wanted, "levels that are read back")
    # Some of them.
    wanted = levels(7)
    odd = range(1, COUNT, 2)
    lines.set_values({line: wanted[line] for line in odd})
    expect(lines.get_values(list(odd)), [wanted[line] for line in odd], "every other level")
    before = levels(2)
    even = range(0, COUNT, 2)
    expect(lines.get_values(list(even)), [before[line] for line in even], "the others")


def inputs(lines):
    """What is set outside is read."""
    as_inputs = gpiod.LineSettings(direction=Direction.INPUT)
    lines.reconfigure_lines({tuple(range(COUNT)): as_inputs})
    wanted = levels(1)
    for line, value in enumerate(wanted):
        ctl(f"set {line} {value.value}")
    expect(lines.get_values(), wanted, "levels")


def round_trips(lines):
    """A message for each line, and no more notifications and interrupts than full queues."""
    calls = {"set": lambda: set_all(lines, levels(1)), "get": lines.get_values}
    for name, call in calls.items():
        ctl("reset-stats")
        call()
        stats = dict(word.split("=") for word in ctl("stats").split())
        expect(int(stats["requests"]), COUNT, f"messages for one {name}")
        # Half of the smallest queue there is in the tests, in messages.
        most = -(-COUNT // 31)
        for what in ("notifications", "interrupts"):
            if int(stats[what]) > most:
                sys.exit(f"one {name} has {stats[what]} {what}, more than {most}")


def fails_with(wanted, call):
    """The call must fail with this errno."""
    try:
        call()
    except OSError as error:
        expect(errno.errorcode[error.errno], errno.errorcode[wanted], "the error")
    else:
        sys.exit(f"this should have failed with {errno.errorcode[wanted]}")


def spoilt(lines, fault, wanted):
    """One reply is spoilt: that is the error, and the other lines are set all the same."""
    set_all(lines, [Value.INACTIVE] * COUNT)
    ctl(f"fault {fault}")
    fails_with(wanted, lambda: set_all(lines, [Value.ACTIVE] * COUNT))
    ctl("fault none")
    expect(seen_outside()[1:], [Value.ACTIVE] * (COUNT - 1), "levels of the other lines")
    ctl("fault release")
    # Nothing is left of it.
    set_all(lines, levels(2))
    expect(lines.get_values(), levels(2), "levels afterwards")
    expect(seen_outside(), levels(2), "levels outside afterwards")


def refused(lines):
    """The device refuses the first line."""
    # The standard's device cannot say why.
    spoilt(lines, "errno 16", errno.EBUSY if PROTOCOL == "rfc" else errno.EIO)
    ctl("fault short")
    fails_with(errno.EPROTO, lines.get_values)
    ctl("fault none")
    expect(lines.get_values(), levels(2), "levels after a broken reply")


def stuck(lines):
    """The device does not answer for one line until somebody releases it."""
    ctl("fault never 1")
    set_all(lines, [Value.ACTIVE] * COUNT)
    expect(seen_outside(), [Value.ACTIVE] * COUNT, "levels outside")


def lost(lines):
    """The device does not answer for one line."""
    spoilt(lines, "never", errno.ETIMEDOUT)


with gpiod.Chip(f"/dev/{CHIP}") as chip:
    COUNT = min(chip.get_info().num_lines, 64)
    if WHAT == "stuck":
        # The last one is for others.
        COUNT -= 1
    settings = gpiod.LineSettings(direction=Direction.OUTPUT)
    with chip.request_lines({tuple(range(COUNT)): settings}, consumer="many") as request:
        {
            "values": values,
            "inputs": inputs,
            "round-trips": round_trips,
            "refused": refused,
            "lost": lost,
            "stuck": stuck,
        }[WHAT](request)

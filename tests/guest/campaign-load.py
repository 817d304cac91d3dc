#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Uses many lines by one call, again and again: campaign-load.py CHIP FIRST COUNT

Errors are what it is here to get. When its input ends it prints how many calls worked and how many
did not; a call has a message for each line.
"""

import select
import sys

import gpiod
from gpiod.line import Direction, Value

# What the binding makes of the device's errno.
ERRORS = (OSError, MemoryError, NotImplementedError, ValueError)


def main():
    chip, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    offsets = tuple(range(first, first + count))
    settings = gpiod.LineSettings(direction=Direction.OUTPUT)
    good = bad = 0
    with gpiod.request_lines(f"/dev/{chip}", {offsets: settings}, consumer="campaign") as lines:
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            value = Value(good % 2)
            for call in (lambda: lines.set_values(dict.fromkeys(offsets, value)), lines.get_values):
                try:
                    call()
                    good += 1
                except ERRORS:
                    bad += 1
        print(f"{good} calls worked, {bad} failed", flush=True)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Has lines by one request, and uses them as it is told: hand.py CHIP in|out|as-is OFFSET...

Prints "ready" when it has them. For each line of input, which is a call that makes one message for
each of the lines that it names, it prints what came of it: the levels, "ok", or the name of the
errno.

get OFFSET...
set OFFSET=LEVEL...
"""

import errno
import sys

import gpiod
from gpiod.line import Direction, Value


def call(lines, command, words):
    """Does one thing, and says what came of it."""
    if command == "get":
        values = lines.get_values([int(word) for word in words])
        return " ".join(str(value.value) for value in values)
    levels = {}
    for word in words:
        offset, _, level = word.partition("=")
        levels[int(offset)] = Value(int(level))
    lines.set_values(levels)
    return "ok"


def main():
    chip, direction, *offsets = sys.argv[1:]
    directions = {"in": Direction.INPUT, "out": Direction.OUTPUT, "as-is": Direction.AS_IS}
    settings = gpiod.LineSettings(direction=directions[direction])
    config = {tuple(int(offset) for offset in offsets): settings}
    with gpiod.request_lines(f"/dev/{chip}", config, consumer="hand") as lines:
        print("ready", flush=True)
        for text in sys.stdin:
            command, *words = text.split()
            try:
                print(call(lines, command, words), flush=True)
            except OSError as error:
                print(errno.errorcode[error.errno], flush=True)


main()

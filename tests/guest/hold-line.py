#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Holds a line as an output, then tries to set it: hold-line.py CHIP OFFSET

Prints "held" when it has the line. For each line of input it sets the line low and prints
"set", or the name of the errno that it got instead.
"""

import errno
import sys

import gpiod
from gpiod.line import Direction, Value


def main():
    chip, offset = sys.argv[1], int(sys.argv[2])
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    with gpiod.request_lines(f"/dev/{chip}", {offset: settings}, consumer="hold-line") as lines:
        print("held", flush=True)
        for _ in sys.stdin:
            try:
                lines.set_value(offset, Value.INACTIVE)
                print("set", flush=True)
            except OSError as error:
                print(errno.errorcode[error.errno], flush=True)


main()

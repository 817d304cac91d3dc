#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints what happens to the keys of an input device: read-key.py /dev/input/eventN

Prints "ready" first, then for each key that is pressed or released its code and 1 or 0. Ends
with "gone" when the device is removed.
"""

import errno
import struct
import sys

# struct input_event: the time as two longs, the type, the code, the value.
EVENT = struct.Struct("llHHi")
EV_KEY = 1


def main():
    with open(sys.argv[1], "rb", buffering=0) as device:
        print("ready", flush=True)
        while True:
            try:
                record = device.read(EVENT.size)
            except OSError as error:
                if error.errno != errno.ENODEV:
                    raise
                print("gone", flush=True)
                return
            _, _, kind, code, value = EVENT.unpack(record)
            if kind == EV_KEY:
                print(code, value, flush=True)


main()

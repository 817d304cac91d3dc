#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""How long tasks wait without being interruptible, in one go: watch-waits.py NAME...

Looks at all tasks of these names (the first 15 characters count) until its standard input ends,
and prints the longest wait in milliseconds, and whose it was. A wait is over when the task was
seen in another state, or has been switched to in between.
"""

import os
import select
import sys
import time

# Far below any limit that waits are compared to.
TICK = 0.05


def tasks(names):
    """The tasks of these names."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            for task in os.listdir(f"/proc/{process}/task"):
                folder = f"/proc/{process}/task/{task}"
                with open(f"{folder}/comm", encoding="utf-8", errors="replace") as file:
                    name = file.read().strip()
                if name in names:
                    yield int(task), name, folder
        except OSError:
            # It has ended meanwhile.
            continue


def state(folder):
    """The state of a task, and how often it was switched away from."""
    with open(f"{folder}/status", encoding="utf-8", errors="replace") as file:
        fields = dict(line.split(":\t", 1) for line in file if ":\t" in line)
    switches = fields["voluntary_ctxt_switches"].strip(), fields["nonvoluntary_ctxt_switches"].strip()
    return fields["State"][0], switches


def main():
    """Looks until it is told to end."""
    names = {name[:15] for name in sys.argv[1:]}
    waiting = {}
    longest, whose = 0.0, "nobody"
    seen = set()
    while True:
        now = time.monotonic()
        before, waiting = waiting, {}
        for task, name, folder in tasks(names):
            seen.add(task)
            try:
                letter, switches = state(folder)
            except (OSError, KeyError):
                continue
            if letter != "D":
                continue
            since, switches_then = before.get(task, (now, switches))
            since = since if switches_then == switches else now
            waiting[task] = (since, switches)
            if now - since > longest:
                longest, whose = now - since, f"{name} {task}"
        if select.select([sys.stdin], [], [], TICK)[0] and not sys.stdin.readline():
            break
    print(int(longest * 1000), len(seen), whose)


main()

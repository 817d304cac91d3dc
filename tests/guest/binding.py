#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Uses device 0's chip through libgpiod's Python binding: binding.py CHIP

Each step is compared to what the device says on its control channel. Fails with the first
difference.
"""

import sys
from datetime import timedelta

import gpiod
from gpiod.line import Bias, Direction, Edge, Value

# Nothing is left beside the tests.
sys.dont_write_bytecode = True
from control import ctl, expect


def about_the_chip(chip):
    """Its size, and its lines by name."""
    expect(chip.get_info().num_lines, 8, "number of lines")
    expect(chip.line_offset_from_id("LAST"), 7, "the line with the name LAST")
    expect(chip.get_line_info("LED0").offset, 0, "the line with the name LED0")
    expect(chip.get_line_info(2).name, None, "the name of line 2")
    expect(chip.get_line_info(0).used, False, "whether line 0 is used")


def outputs(chip):
    """Several lines in one request, together and alone, and what can be read back."""
    settings = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    with chip.request_lines({("LED0", 2, 3): settings}, consumer="binding") as lines:
        for line in (0, 2, 3):
            expect(ctl(f"get {line}").split()[:2], ["out", "1"], f"line {line}")
        info = chip.get_line_info(2)
        expect((info.consumer, info.direction), ("binding", Direction.OUTPUT), "line 2")
        for levels in ("010", "101", "000", "110"):
            values = {l: Value(int(v)) for l, v in zip(("LED0", 2, 3), levels)}
            lines.set_values(values)
            for line, level in zip((0, 2, 3), levels):
                expect(ctl(f"get {line}").split()[:2], ["out", level], f"line {line}")
            got = lines.get_values(["LED0", 2, 3])
            expect(got, list(values.values()), "the values that are read back")
        lines.set_value(3, Value.ACTIVE)
        expect(ctl("get 3").split()[:2], ["out", "1"], "line 3")
        expect(ctl("get 0").split()[:2], ["out", "1"], "line 0, which was not set")


def direction(chip):
    """A line that is an output, an input and an output again."""
    as_input = gpiod.LineSettings(direction=Direction.INPUT)
    as_output = gpiod.LineSettings(direction=Direction.OUTPUT, output_value=Value.ACTIVE)
    ctl("set 4 0")
    with chip.request_lines({4: as_output}) as lines:
        expect(ctl("get 4"), "out 1", "line 4")
        lines.reconfigure_lines({4: as_input})
        expect(ctl("get 4"), "in 0", "line 4")
        for level in (1, 0, 1):
            ctl(f"set 4 {level}")
            expect(lines.get_value(4), Value(level), "line 4 as an input")
        lines.reconfigure_lines({4: as_output})
        expect(ctl("get 4"), "out 1", "line 4")
    ctl("set 4 0")


def active_low(chip):
    """Which level is active is known in the guest only."""
    settings = gpiod.LineSettings(
        direction=Direction.OUTPUT, active_low=True, output_value=Value.ACTIVE
    )
    with chip.request_lines({5: settings}) as lines:
        expect(ctl("get 5"), "out 0", "line 5, active")
        lines.set_value(5, Value.INACTIVE)
        expect(ctl("get 5"), "out 1", "line 5, inactive")


def edges(chip):
    """Both edges of one line and one of another, in one request, with their numbers."""
    settings = {
        1: gpiod.LineSettings(edge_detection=Edge.BOTH),
        6: gpiod.LineSettings(edge_detection=Edge.FALLING),
    }
    ctl("set 1 0")
    ctl("set 6 0")
    rising, falling = gpiod.EdgeEvent.Type.RISING_EDGE, gpiod.EdgeEvent.Type.FALLING_EDGE
    steps = [(1, 1, rising), (6, 1, None), (6, 0, falling), (1, 0, falling), (1, 1, rising)]
    with chip.request_lines(settings) as lines:
        expect((ctl("irq 1"), ctl("irq 6")), ("both", "falling"), "what is to be reported")
        last = 0
        for line, level, wanted in steps:
            ctl(f"set {line} {level}")
            if wanted is None:
                continue
            expect(lines.wait_edge_events(timedelta(seconds=20)), True, "whether there is an event")
            (event,) = lines.read_edge_events(1)
            expect((event.line_offset, event.event_type), (line, wanted), "the event")
            expect(event.timestamp_ns > last, True, "whether time goes on")
            last = event.timestamp_ns
        expect((event.global_seqno, event.line_seqno), (4, 3), "the numbers of the last event")
        expect(lines.wait_edge_events(timedelta(seconds=0.5)), False, "whether there are more events")
    expect((ctl("irq 1"), ctl("irq 6")), ("none", "none"), "what is to be reported afterwards")
    ctl("set 1 0")


def refusals(chip):
    """What the device has no words for is refused, or done by the kernel."""
    with chip.request_lines({2: None}, consumer="first"):
        try:
            with chip.request_lines({2: None}):
                sys.exit("a line was had twice")
        except OSError:
            pass
    # No bias is asked for: that is fine. The line is there after it.
    with chip.request_lines({2: gpiod.LineSettings(direction=Direction.INPUT, bias=Bias.AS_IS)}) as lines:
        expect(lines.get_value(2), Value.INACTIVE, "line 2")


def changes_of_lines(chip):
    """Who comes and goes is told to those who watch."""
    kinds = gpiod.InfoEvent.Type
    expect(chip.watch_line_info(3).used, False, "whether line 3 is used")
    settings = gpiod.LineSettings(direction=Direction.OUTPUT)
    with chip.request_lines({3: settings}) as lines:
        event = chip.read_info_event()
        expect((event.event_type, event.line_info.used), (kinds.LINE_REQUESTED, True), "the event")
        lines.reconfigure_lines({3: gpiod.LineSettings(direction=Direction.INPUT)})
        event = chip.read_info_event()
        expect(event.event_type, kinds.LINE_CONFIG_CHANGED, "the event")
        expect(event.line_info.direction, Direction.INPUT, "the line's direction")
    event = chip.read_info_event()
    expect((event.event_type, event.line_info.used), (kinds.LINE_RELEASED, False), "the event")
    chip.unwatch_line_info(3)


def main():
    """One after the other."""
    with gpiod.Chip(f"/dev/{sys.argv[1]}") as chip:
        for step in (
            about_the_chip,
            outputs,
            direction,
            active_low,
            edges,
            refusals,
            changes_of_lines,
        ):
            step(chip)
            print(f"# {step.__name__}: as it should be")


main()

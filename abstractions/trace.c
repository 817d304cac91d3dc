// SPDX-License-Identifier: GPL-2.0
/*
 * The trace events, and C functions to trigger them from Rust.
 *
 * To ask the static key is left to C too: for that the kernel crate needs a file of the kernel's
 * build that packages of headers, against which external modules are built, need not have.
 */

#define CREATE_TRACE_POINTS
#include "trace.h"

#include "helpers.h"

bool gpio_virtio_trace_request_enabled(void)
{
	return trace_gpio_virtio_request_enabled();
}

void gpio_virtio_trace_request(const char *device, u16 line, u16 kind, u32 value)
{
	trace_gpio_virtio_request(device, line, kind, value);
}

bool gpio_virtio_trace_reply_enabled(void)
{
	return trace_gpio_virtio_reply_enabled();
}

void gpio_virtio_trace_reply(const char *device, u16 line, u16 kind, u32 written, int outcome)
{
	trace_gpio_virtio_reply(device, line, kind, written, outcome);
}

bool gpio_virtio_trace_event_enabled(void)
{
	return trace_gpio_virtio_event_enabled();
}

void gpio_virtio_trace_event(const char *device, u16 line, u32 written, u32 value, bool accepted)
{
	trace_gpio_virtio_event(device, line, written, value, accepted);
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Trace events of what goes between a driver and its device: messages with a line, a
 * kind and a value, whatever these mean to the two.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gpio_virtio

#if !defined(GPIO_VIRTIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define GPIO_VIRTIO_TRACE_H

#include <linux/tracepoint.h>
#include <linux/types.h>

TRACE_EVENT(gpio_virtio_request,
	    TP_PROTO(const char *device, u16 line, u16 kind, u32 value),
	    TP_ARGS(device, line, kind, value),
	    TP_STRUCT__entry(__string(device, device)
			     __field(u16, line)
			     __field(u16, kind)
			     __field(u32, value)),
	    TP_fast_assign(__assign_str(device);
			   __entry->line = line;
			   __entry->kind = kind;
			   __entry->value = value;),
	    TP_printk("%s: line %u kind %#x value %u", __get_str(device), __entry->line,
		      __entry->kind, __entry->value)
);

TRACE_EVENT(gpio_virtio_reply,
	    TP_PROTO(const char *device, u16 line, u16 kind, u32 written, int outcome),
	    TP_ARGS(device, line, kind, written, outcome),
	    TP_STRUCT__entry(__string(device, device)
			     __field(u16, line)
			     __field(u16, kind)
			     __field(u32, written)
			     __field(int, outcome)),
	    TP_fast_assign(__assign_str(device);
			   __entry->line = line;
			   __entry->kind = kind;
			   __entry->written = written;
			   __entry->outcome = outcome;),
	    TP_printk("%s: line %u kind %#x written %u outcome %d", __get_str(device),
		      __entry->line, __entry->kind, __entry->written, __entry->outcome)
);

TRACE_EVENT(gpio_virtio_event,
	    TP_PROTO(const char *device, u16 line, u32 written, u32 value, bool accepted),
	    TP_ARGS(device, line, written, value, accepted),
	    TP_STRUCT__entry(__string(device, device)
			     __field(u16, line)
			     __field(u32, written)
			     __field(u32, value)
			     __field(bool, accepted)),
	    TP_fast_assign(__assign_str(device);
			   __entry->line = line;
			   __entry->written = written;
			   __entry->value = value;
			   __entry->accepted = accepted;),
	    TP_printk("%s: line %u written %u value %u %s", __get_str(device), __entry->line,
		      __entry->written, __entry->value,
		      __entry->accepted ? "accepted" : "refused")
);

#endif /* GPIO_VIRTIO_TRACE_H */

/*
 * This part must be outside protection. The path is one from the driver's folder, wherever
 * that is: the Makefile adds it to where headers of trace.c are looked for.
 */
#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH abstractions
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>

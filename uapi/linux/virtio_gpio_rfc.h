/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The virtio GPIO device with ID 30: what a program that implements the device,
 * or another driver, has to know. Documentation/protocol-rfc.rst has the rules.
 *
 * It is not the device with ID 41, which has <linux/virtio_gpio.h>.
 */
#ifndef _UAPI_LINUX_VIRTIO_GPIO_RFC_H
#define _UAPI_LINUX_VIRTIO_GPIO_RFC_H

#include <linux/types.h>

#define VIRTIO_GPIO_RFC_ID			30

/* Numbers of the virtqueues */
#define VIRTIO_GPIO_RFC_VQ_EVENT		0
#define VIRTIO_GPIO_RFC_VQ_COMMAND		1

/* Feature bits */
#define VIRTIO_GPIO_RFC_F_IRQ_TYPE		0

#define VIRTIO_GPIO_RFC_VERSION			1
#define VIRTIO_GPIO_RFC_NAME_SIZE		32

/**
 * struct virtio_gpio_rfc_config - the configuration space
 * @version: VIRTIO_GPIO_RFC_VERSION
 * @reserved0: zero
 * @num_gpios: number of lines, at least 1
 * @names_size: bytes of @names
 * @reserved1: zero
 * @name: name of the device, padded with NUL
 * @names: names of the lines: NUL-terminated strings in line order
 */
struct virtio_gpio_rfc_config {
	__u8 version;
	__u8 reserved0;
	__le16 num_gpios;
	__le32 names_size;
	__u8 reserved1[24];
	__u8 name[VIRTIO_GPIO_RFC_NAME_SIZE];
	__u8 names[];
};

/**
 * struct virtio_gpio_rfc_msg - a message on either queue
 * @type: one of VIRTIO_GPIO_RFC_MSG_*; in a reply with VIRTIO_GPIO_RFC_REPLY
 * @line: offset of the line
 * @value: argument of a request; result of a reply, or a negative errno
 */
struct virtio_gpio_rfc_msg {
	__le16 type;
	__le16 line;
	__le32 value;
};

#define VIRTIO_GPIO_RFC_MSG_REQUEST		0x01
#define VIRTIO_GPIO_RFC_MSG_DIRECTION_INPUT	0x02
#define VIRTIO_GPIO_RFC_MSG_DIRECTION_OUTPUT	0x03
#define VIRTIO_GPIO_RFC_MSG_GET_DIRECTION	0x04
#define VIRTIO_GPIO_RFC_MSG_GET_VALUE		0x05
#define VIRTIO_GPIO_RFC_MSG_SET_VALUE		0x06
/* Only with VIRTIO_GPIO_RFC_F_IRQ_TYPE */
#define VIRTIO_GPIO_RFC_MSG_SET_IRQ_TYPE	0x07
/* On the event queue only */
#define VIRTIO_GPIO_RFC_MSG_LEVEL		0x11

/* At least one bit of the mask is set in a reply; our device sets all of them. */
#define VIRTIO_GPIO_RFC_REPLY			0xf000
#define VIRTIO_GPIO_RFC_REPLY_MASK		0xf000

/* Values of GET_DIRECTION replies */
#define VIRTIO_GPIO_RFC_DIRECTION_OUTPUT	0
#define VIRTIO_GPIO_RFC_DIRECTION_INPUT		1

/* Values of SET_IRQ_TYPE requests; 0 is none */
#define VIRTIO_GPIO_RFC_IRQ_RISING		0x1
#define VIRTIO_GPIO_RFC_IRQ_FALLING		0x2
#define VIRTIO_GPIO_RFC_IRQ_HIGH		0x4
#define VIRTIO_GPIO_RFC_IRQ_LOW			0x8

#endif /* _UAPI_LINUX_VIRTIO_GPIO_RFC_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen reads: the headers that the kernel crate has no bindings for.
 */

#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "helpers.h"

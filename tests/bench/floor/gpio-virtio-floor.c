// SPDX-License-Identifier: GPL-2.0
/*
 * For benchmarks: the simplest round trip that can be made to a virtio GPIO device.
 *
 * It drives a device with ID 41, and is no GPIO driver. Each read() of
 * /dev/gpio-virtio-floor asks the device for the value of line 0 and returns it as one
 * byte: a buffer that was made beforehand is added, the device is notified, and the
 * caller sleeps until the queue's callback has the buffer back. There is no gpiolib above
 * it and nothing around it, so what it takes is what the device, the VMM and the core of
 * virtio take; no driver that sleeps can be faster.
 *
 * One device, one request at a time.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpio.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_ring.h>

struct floor {
	struct virtqueue *queue;
	struct completion done;

	__dma_from_device_group_begin();
	struct virtio_gpio_request request;
	struct virtio_gpio_response response;
	__dma_from_device_group_end();
};

/* The device, if there is one, and whose turn it is. */
static struct floor *the_floor;
static DEFINE_MUTEX(floor_lock);

static void floor_callback(struct virtqueue *queue)
{
	unsigned int size;
	struct floor *floor = virtqueue_get_buf(queue, &size);

	if (floor)
		complete(&floor->done);
}

static int floor_round_trip(struct floor *floor)
{
	struct scatterlist request, response;
	struct scatterlist *lists[] = { &request, &response };
	int ret;

	sg_init_one(&request, &floor->request, sizeof(floor->request));
	sg_init_one(&response, &floor->response, sizeof(floor->response));
	reinit_completion(&floor->done);

	ret = virtqueue_add_sgs(floor->queue, lists, 1, 1, floor, GFP_KERNEL);
	if (ret)
		return ret;
	virtqueue_kick(floor->queue);
	wait_for_completion(&floor->done);

	return floor->response.status == VIRTIO_GPIO_STATUS_OK ? 0 : -EIO;
}

static ssize_t floor_read(struct file *file, char __user *buffer, size_t size, loff_t *position)
{
	int ret;

	if (!size)
		return 0;

	guard(mutex)(&floor_lock);

	if (!the_floor)
		return -ENODEV;
	ret = floor_round_trip(the_floor);
	if (ret)
		return ret;
	return copy_to_user(buffer, &the_floor->response.value, 1) ? -EFAULT : 1;
}

static const struct file_operations floor_operations = {
	.owner = THIS_MODULE,
	.read = floor_read,
};

static struct miscdevice floor_file = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gpio-virtio-floor",
	.fops = &floor_operations,
};

/* A table for two descriptors would be allocated for each request. */
static int floor_validate(struct virtio_device *vdev)
{
	__virtio_clear_bit(vdev, VIRTIO_RING_F_INDIRECT_DESC);
	return 0;
}

static int floor_probe(struct virtio_device *vdev)
{
	struct floor *floor __free(kfree) = kzalloc_obj(*floor);
	int ret;

	if (!floor)
		return -ENOMEM;
	init_completion(&floor->done);
	floor->request.type = cpu_to_le16(VIRTIO_GPIO_MSG_GET_VALUE);

	guard(mutex)(&floor_lock);

	if (the_floor)
		return -EBUSY;
	floor->queue = virtio_find_single_vq(vdev, floor_callback, "requests");
	if (IS_ERR(floor->queue))
		return PTR_ERR(floor->queue);
	virtio_device_ready(vdev);

	ret = misc_register(&floor_file);
	if (ret) {
		virtio_reset_device(vdev);
		vdev->config->del_vqs(vdev);
		return ret;
	}
	the_floor = no_free_ptr(floor);
	return 0;
}

static void floor_remove(struct virtio_device *vdev)
{
	misc_deregister(&floor_file);

	/* Nobody waits for the device after this. */
	guard(mutex)(&floor_lock);

	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	kfree(the_floor);
	the_floor = NULL;
}

static const struct virtio_device_id floor_ids[] = {
	{ VIRTIO_ID_GPIO, VIRTIO_DEV_ANY_ID },
	{ }
};
MODULE_DEVICE_TABLE(virtio, floor_ids);

static struct virtio_driver floor_driver = {
	.id_table = floor_ids,
	.validate = floor_validate,
	.probe = floor_probe,
	.remove = floor_remove,
	.driver = {
		.name = KBUILD_MODNAME,
	},
};
module_virtio_driver(floor_driver);

MODULE_AUTHOR("The gpio-virtio developers");
MODULE_DESCRIPTION("The simplest round trip to a virtio GPIO device, for benchmarks");
MODULE_LICENSE("GPL");

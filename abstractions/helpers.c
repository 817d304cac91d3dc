// SPDX-License-Identifier: GPL-2.0
/*
 * C functions for what Rust cannot call: inline functions and macros.
 *
 * All of them are called from the abstractions beside this file and do no more
 * than their names say.
 */

#include <linux/device.h>
#include <linux/gpio/driver.h>
#include <linux/hardirq.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/preempt.h>
#include <linux/ratelimit.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_pci.h>
#include <linux/workqueue.h>

#include "helpers.h"

void gpio_virtio_ratelimit_init(struct ratelimit_state *state)
{
	ratelimit_default_init(state);
}

/*
 * Whether the caller may sleep, as far as the kernel knows: without CONFIG_PREEMPT_COUNT
 * it does not know of spinlocks.
 */
bool gpio_virtio_may_sleep(void)
{
	if (!in_task() || irqs_disabled() || softirq_count() || rcu_preempt_depth())
		return false;
	return !IS_ENABLED(CONFIG_PREEMPT_COUNT) || preemptible();
}

/* Whether another task wants this processor. */
bool gpio_virtio_has_company(void)
{
	return need_resched() || !single_task_running();
}

void gpio_virtio_preempt_disable(void)
{
	preempt_disable();
}

void gpio_virtio_preempt_enable(void)
{
	preempt_enable();
}

void gpio_virtio_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				    struct lock_class_key *key)
{
#ifdef CONFIG_DEBUG_SPINLOCK
	__raw_spin_lock_init(lock, name, key, LD_WAIT_SPIN);
#else
	raw_spin_lock_init(lock);
#endif
}

/*
 * These count how often interrupts were turned off, so that locks can be given
 * back in any order.
 */
void gpio_virtio_raw_spin_lock(raw_spinlock_t *lock)
{
	raw_spin_lock_irq_disable(lock);
}

bool gpio_virtio_raw_spin_trylock(raw_spinlock_t *lock)
{
	return raw_spin_trylock_irq_disable(lock);
}

void gpio_virtio_raw_spin_unlock(raw_spinlock_t *lock)
{
	raw_spin_unlock_irq_enable(lock);
}

void gpio_virtio_assert_raw_spin_locked(raw_spinlock_t *lock)
{
	lockdep_assert_held(lock);
}

/* One lock class for all of them: none of our work waits for another. */
void gpio_virtio_init_work(struct delayed_work *work, work_func_t func)
{
	INIT_DELAYED_WORK(work, func);
}

void gpio_virtio_queue_work(struct delayed_work *work, unsigned long delay)
{
	queue_delayed_work(system_freezable_wq, work, delay);
}

void gpio_virtio_postpone_work(struct delayed_work *work, unsigned long delay)
{
	mod_delayed_work(system_freezable_wq, work, delay);
}

/* The macro behind this has a lock class of its own for each place it is used in. */
int gpio_virtio_gpiochip_add_data(struct gpio_chip *gc, void *data)
{
	return gpiochip_add_data(gc, data);
}

bool gpio_virtio_has_feature(const struct virtio_device *vdev, unsigned int bit)
{
	return __virtio_test_bit(vdev, bit);
}

/*
 * Size of the part of a BAR that the PCI transport maps the configuration from.
 *
 * This reads what the transport has read when it was probed. A device that
 * changes its capabilities afterwards is beyond what a driver can see.
 */
static size_t config_size_pci(struct pci_dev *pdev)
{
	u8 pos, cfg_type, bar;
	u32 offset, length;
	u64 room;

	for (pos = pci_find_capability(pdev, PCI_CAP_ID_VNDR); pos;
	     pos = pci_find_next_capability(pdev, pos, PCI_CAP_ID_VNDR)) {
		pci_read_config_byte(pdev, pos + offsetof(struct virtio_pci_cap, cfg_type),
				     &cfg_type);
		pci_read_config_byte(pdev, pos + offsetof(struct virtio_pci_cap, bar), &bar);
		if (cfg_type != VIRTIO_PCI_CAP_DEVICE_CFG || bar >= PCI_STD_NUM_BARS ||
		    !pci_resource_len(pdev, bar))
			continue;

		pci_read_config_dword(pdev, pos + offsetof(struct virtio_pci_cap, offset),
				      &offset);
		pci_read_config_dword(pdev, pos + offsetof(struct virtio_pci_cap, length),
				      &length);
		room = pci_resource_len(pdev, bar);
		if (offset >= room)
			return 0;
		return min3(room - offset, (u64)length, (u64)PAGE_SIZE);
	}

	return 0;
}

/*
 * How many bytes of configuration can be read, SIZE_MAX where the transport
 * sets no limit.
 *
 * Transports trust the driver to stay inside: PCI ends in a BUG(), MMIO in a
 * fault, and s390's channels in an overrun of a buffer of 256 bytes, when a
 * driver believes a device that claims more than it has.
 */
size_t gpio_virtio_config_size(struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;
	struct resource *res;

	/* A device that is being removed by surprise has lost its operations */
	if (!vdev->config->get)
		return 0;

	if (parent && dev_is_pci(parent))
		return config_size_pci(to_pci_dev(parent));

	if (parent && dev_is_platform(parent)) {
		res = platform_get_resource(to_platform_device(parent), IORESOURCE_MEM, 0);
		/* User-Mode Linux asks the device, which answers for any offset */
		if (!res)
			return SIZE_MAX;
		if (resource_size(res) < VIRTIO_MMIO_CONFIG)
			return 0;
		return resource_size(res) - VIRTIO_MMIO_CONFIG;
	}

	/* What all transports have, as far as known */
	return 0x100;
}

u32 gpio_virtio_config_generation(struct virtio_device *vdev)
{
	return vdev->config->generation ? vdev->config->generation(vdev) : 0;
}

void gpio_virtio_config_read(struct virtio_device *vdev, unsigned int offset,
			     void *buf, unsigned int len)
{
	vdev->config->get(vdev, offset, buf, len);
}

int gpio_virtio_find_vqs(struct virtio_device *vdev, unsigned int count,
			 struct virtqueue *vqs[], struct virtqueue_info infos[])
{
	return virtio_find_vqs(vdev, count, vqs, infos, NULL);
}

void gpio_virtio_del_vqs(struct virtio_device *vdev)
{
	vdev->config->del_vqs(vdev);
}

void gpio_virtio_device_ready(struct virtio_device *vdev)
{
	virtio_device_ready(vdev);
}

/*
 * Whether a reset reaches the device. User-Mode Linux only pretends: its devices go
 * on to use the memory that they were given.
 */
bool gpio_virtio_can_reset(struct virtio_device *vdev)
{
	struct device *parent = vdev->dev.parent;

	return !parent || !dev_is_platform(parent) ||
	       platform_get_resource(to_platform_device(parent), IORESOURCE_MEM, 0);
}

/*
 * Whether the device was given up. All of its registers read as ones as long as it
 * is not to be accessed.
 */
bool gpio_virtio_has_failed(struct virtio_device *vdev)
{
	u8 status = vdev->config->get_status(vdev);

	return status != 0xff && status & VIRTIO_CONFIG_S_FAILED;
}

/*
 * Whether the device is still there. To reset one that is not takes for ever where
 * all of its registers read as ones.
 */
bool gpio_virtio_is_present(struct virtio_device *vdev)
{
#ifdef CONFIG_PCI
	struct device *parent = vdev->dev.parent;

	if (parent && dev_is_pci(parent))
		return pci_device_is_present(to_pci_dev(parent));
#endif
	return true;
}

void gpio_virtio_device_lock(struct device *dev)
{
	device_lock(dev);
}

bool gpio_virtio_device_trylock(struct device *dev)
{
	return device_trylock(dev);
}

void gpio_virtio_device_unlock(struct device *dev)
{
	device_unlock(dev);
}

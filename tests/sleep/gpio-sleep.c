// SPDX-License-Identifier: GPL-2.0
/*
 * For tests of sleep: what a guest needs to get through it.
 *
 * Its root comes over 9p, and the driver of that virtio device has neither freeze() nor
 * restore(): after its first sleep the guest would have no root any more. That of virtio
 * consoles has them, but it asks the host what is open before it has given it any buffer to
 * answer with, and QEMU does not ask twice: all ports stay closed. So there is a parameter
 * with PCI devices that are left out of it.
 *
 * And QEMU's clock does not wake up a machine that sleeps idle. A number of seconds that is
 * written to the parameter "wake" is when that happens, counted from then.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pci.h>
#include <linux/suspend.h>
#include <linux/timer.h>

#define MAX_DEVICES	32

static char *awake[MAX_DEVICES];
static unsigned int count;
module_param_array(awake, charp, &count, 0);
MODULE_PARM_DESC(awake, "PCI devices that do not sleep, as 0000:00:02.0");

/* Holds a reference to each. */
static struct device *devices[MAX_DEVICES];

static void wake(struct timer_list *timer)
{
	pm_system_wakeup();
}

static DEFINE_TIMER(timer, wake);

static int set_wake(const char *text, const struct kernel_param *param)
{
	unsigned int seconds;
	int ret = kstrtouint(text, 0, &seconds);

	if (ret)
		return ret;
	mod_timer(&timer, jiffies + seconds * HZ);
	return 0;
}

static const struct kernel_param_ops wake_ops = {
	.set = set_wake,
};
module_param_cb(wake, &wake_ops, NULL, 0200);
MODULE_PARM_DESC(wake, "wake the system up in so many seconds");

static void let_sleep(void)
{
	unsigned int i;

	for (i = 0; i < MAX_DEVICES; i++) {
		if (devices[i])
			dev_pm_syscore_device(devices[i], false);
		put_device(devices[i]);
	}
}

static int __init sleep_init(void)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		devices[i] = bus_find_device_by_name(&pci_bus_type, NULL, awake[i]);
		if (!devices[i]) {
			pr_err("there is no PCI device %s\n", awake[i]);
			let_sleep();
			return -ENODEV;
		}
		dev_pm_syscore_device(devices[i], true);
	}
	return 0;
}
module_init(sleep_init);

static void __exit sleep_exit(void)
{
	timer_shutdown_sync(&timer);
	let_sleep();
}
module_exit(sleep_exit);

MODULE_DESCRIPTION("Lets a guest get through its sleep");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * For tests of the tests: makes mistakes, one of each kind that a checker of the kernel's
 * is there for. A test that ends well says something only if these are seen.
 *
 * In /sys/kernel/debug/planted-bugs/ is a file, plant, to write the name of a mistake to;
 * read, it lists them. Each is made in a function planted_NAME(), which its report names.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/array_size.h>
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timer.h>

#define NAME		"planted-bugs"
#define LONGEST_NAME	32
#define SIZE		52
/* These are known by their size, of which there are no others. */
#define LEAK_SIZE	8192
/* To one of them something that was left on a stack may still point. */
#define LEAKS		8
/* Each of two threads changes a counter so often: much oftener than KCSAN looks away. */
#define CHANGES		1000000

/* What the compiler does not know anything about: it must not see that it is wrong. */
static noinline void *get_memory(size_t size)
{
	void *memory = kmalloc(size, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(memory);
	return memory;
}

static noinline int planted_use_after_free(void)
{
	u8 *memory = get_memory(SIZE);
	u8 *later = memory;

	if (!memory)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(later);
	kfree(memory);
	return READ_ONCE(later[SIZE / 2]) & 0;
}

static noinline int planted_out_of_bounds(void)
{
	u8 *memory = get_memory(SIZE);
	int ret;

	if (!memory)
		return -ENOMEM;
	ret = READ_ONCE(memory[SIZE]) & 0;
	kfree(memory);
	return ret;
}

static noinline int planted_double_free(void)
{
	void *memory = get_memory(SIZE);
	void *again = memory;

	if (!memory)
		return -ENOMEM;
	OPTIMIZER_HIDE_VAR(again);
	kfree(memory);
	kfree(again);
	return 0;
}

static noinline int planted_leak(void)
{
	int i;

	for (i = 0; i < LEAKS; i++)
		if (!get_memory(LEAK_SIZE))
			return -ENOMEM;
	return 0;
}

static noinline int planted_warning(void)
{
	WARN(1, "planted");
	return 0;
}

static DEFINE_MUTEX(first_lock);
static DEFINE_MUTEX(second_lock);

static noinline int planted_lock_order(void)
{
	mutex_lock(&first_lock);
	mutex_lock(&second_lock);
	mutex_unlock(&second_lock);
	mutex_unlock(&first_lock);

	mutex_lock(&second_lock);
	mutex_lock(&first_lock);
	mutex_unlock(&first_lock);
	mutex_unlock(&second_lock);
	return 0;
}

static DEFINE_SPINLOCK(spinning_lock);
static DEFINE_RAW_SPINLOCK(raw_lock);

/* What PREEMPT_RT would stumble over. */
static noinline int planted_wait_context(void)
{
	raw_spin_lock(&raw_lock);
	spin_lock(&spinning_lock);
	spin_unlock(&spinning_lock);
	raw_spin_unlock(&raw_lock);
	return 0;
}

static noinline int planted_atomic_sleep(void)
{
	spin_lock(&spinning_lock);
	might_sleep();
	spin_unlock(&spinning_lock);
	return 0;
}

static noinline int planted_rcu_usage(void)
{
	static void __rcu *pointer;

	return !!rcu_dereference(pointer);
}

static noinline int planted_list_corruption(void)
{
	struct list_head head, node;

	INIT_LIST_HEAD(&head);
	list_add(&node, &head);
	/* Somebody else's write went astray. */
	head.next = &head;
	list_del(&node);
	return 0;
}

static noinline int planted_refcount(void)
{
	refcount_t count = REFCOUNT_INIT(1);

	refcount_dec(&count);
	return 0;
}

struct with_timer {
	struct timer_list timer;
};

static void nothing_to_do(struct timer_list *timer)
{
}

static noinline int planted_active_timer(void)
{
	struct with_timer *object = get_memory(sizeof(*object));

	if (!object)
		return -ENOMEM;
	timer_setup(&object->timer, nothing_to_do, 0);
	mod_timer(&object->timer, jiffies + 3600 * HZ);
	kfree(object);
	return 0;
}

static noinline int planted_dma_size(void)
{
	struct platform_device_info info = {
		.name = NAME,
		.id = PLATFORM_DEVID_NONE,
		.dma_mask = DMA_BIT_MASK(64),
	};
	struct platform_device *device = platform_device_register_full(&info);
	void *memory;
	dma_addr_t address;
	int ret = 0;

	if (IS_ERR(device))
		return PTR_ERR(device);
	memory = get_memory(SIZE);
	if (!memory) {
		ret = -ENOMEM;
		goto unregister;
	}
	address = dma_map_single(&device->dev, memory, SIZE, DMA_TO_DEVICE);
	ret = dma_mapping_error(&device->dev, address);
	if (!ret)
		dma_unmap_single(&device->dev, address, SIZE / 2, DMA_TO_DEVICE);
	kfree(memory);
unregister:
	platform_device_unregister(device);
	return ret;
}

/* Longer than the test lets a task hang. */
static noinline int planted_hung_task(void)
{
	schedule_timeout_uninterruptible(30 * HZ);
	return 0;
}

static unsigned long counter;
static DECLARE_COMPLETION(thread_done);

static int planted_racing_thread(void *marked)
{
	unsigned long i;

	for (i = 0; i < CHANGES; i++) {
		if (marked)
			WRITE_ONCE(counter, READ_ONCE(counter) + 1);
		else
			counter++;
		barrier();
		if (i % 1024 == 0)
			cond_resched();
	}
	complete(&thread_done);
	while (!kthread_should_stop())
		msleep_interruptible(20);
	return 0;
}

static int race(void *marked)
{
	struct task_struct *threads[2];
	int i, running = 0, ret = 0;

	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i] = kthread_run(planted_racing_thread, marked, NAME "/%d", i);
		if (IS_ERR(threads[i])) {
			ret = PTR_ERR(threads[i]);
			break;
		}
		running++;
	}
	/* A thread that is stopped before its first step would not take any. */
	for (i = 0; i < running; i++)
		wait_for_completion(&thread_done);
	for (i = 0; i < running; i++)
		kthread_stop(threads[i]);
	return ret;
}

static noinline int planted_data_race(void)
{
	return race(NULL);
}

/* The controls: nothing is wrong with these. */

static noinline int planted_nothing(void)
{
	void *memory = get_memory(SIZE);

	kfree(memory);
	mutex_lock(&first_lock);
	mutex_unlock(&first_lock);
	return 0;
}

static noinline int planted_marked_race(void)
{
	return race(&counter);
}

static const struct bug {
	const char *name;
	int (*plant)(void);
} bugs[] = {
	{ "use_after_free", planted_use_after_free },
	{ "out_of_bounds", planted_out_of_bounds },
	{ "double_free", planted_double_free },
	{ "leak", planted_leak },
	{ "warning", planted_warning },
	{ "lock_order", planted_lock_order },
	{ "wait_context", planted_wait_context },
	{ "atomic_sleep", planted_atomic_sleep },
	{ "rcu_usage", planted_rcu_usage },
	{ "list_corruption", planted_list_corruption },
	{ "refcount", planted_refcount },
	{ "active_timer", planted_active_timer },
	{ "dma_size", planted_dma_size },
	{ "hung_task", planted_hung_task },
	{ "data_race", planted_data_race },
	{ "nothing", planted_nothing },
	{ "marked_race", planted_marked_race },
};

static ssize_t plant_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char name[LONGEST_NAME] = "";
	int i, ret;

	if (count >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, buf, count))
		return -EFAULT;

	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(strim(name), bugs[i].name))
			continue;
		ret = bugs[i].plant();
		return ret < 0 ? ret : count;
	}
	return -EINVAL;
}

static int plant_show(struct seq_file *file, void *unused)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(bugs); i++)
		seq_printf(file, "%s\n", bugs[i].name);
	return 0;
}

static int plant_open(struct inode *inode, struct file *file)
{
	return single_open(file, plant_show, NULL);
}

static const struct file_operations plant_fops = {
	.owner = THIS_MODULE,
	.open = plant_open,
	.read = seq_read,
	.write = plant_write,
	.llseek = seq_lseek,
	.release = single_release,
};

static struct dentry *folder;

static int __init planted_init(void)
{
	folder = debugfs_create_dir(NAME, NULL);
	debugfs_create_file("plant", 0600, folder, NULL, &plant_fops);
	return 0;
}
module_init(planted_init);

static void __exit planted_exit(void)
{
	debugfs_remove(folder);
}
module_exit(planted_exit);

MODULE_DESCRIPTION("Mistakes for the kernel's checkers to find");
MODULE_LICENSE("GPL");

// SPDX-License-Identifier: GPL-2.0
/*
 * For tests: takes interrupts of GPIO lines as a driver would, and counts them.
 *
 * In /sys/kernel/debug/gpio-irq-consumer/ are files to write a line of words to. The
 * write fails with the errno of what failed. LABEL is that of the chip, OFFSET that of
 * the line. Where a line has several consumers, the one that came last is meant.
 *
 * request LABEL OFFSET TYPE [OPTION...]
 *	Take the line as an input, and its interrupt. TYPE is none, rising, falling, both,
 *	high or low. Options:
 *	hard		count in the primary handler (this is the default)
 *	no-thread	hard: and never let that be a thread (IRQF_NO_THREAD)
 *	nosync=CALLS	hard: call disable_irq_nosync() in the handler's CALLS-th call
 *	threaded	count in a thread, with the line masked as long as it runs
 *	hold		threaded: wait in each call for a release, a minute at most
 *	clear=OFFSET:LEVEL:CALLS
 *			threaded: take line OFFSET too, as an output of the other level,
 *			and set it to LEVEL in the handler's CALLS-th call
 *	irq-only	do not take the line, only its interrupt
 *	shared		let others have the interrupt too
 * free LABEL OFFSET, free all
 *	Give it all back. Handlers that wait are released.
 * release LABEL OFFSET
 *	Let the call that waits now go on, if there is one.
 * disable LABEL OFFSET, enable LABEL OFFSET
 *	disable_irq(), enable_irq()
 * type LABEL OFFSET TYPE
 *	irq_set_irq_type()
 * wake LABEL OFFSET 0|1
 *	disable_irq_wake(), enable_irq_wake()
 * output LABEL OFFSET LEVEL
 *	Try to make the line an output.
 *
 * And one to read:
 *
 * calls
 *	For each consumer: LABEL OFFSET hard=N thread=N in_hardirq=0|1 last=LEVEL.
 *	Calls of the handlers, whether the primary one was in hard interrupt context the
 *	last time, and the level that the line had in the thread's last call; -1 if there
 *	was none or the line is not taken, another negative number is an errno.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gpio/consumer.h>
#include <linux/gpio/driver.h>
#include <linux/gpio/machine.h>
#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/wait.h>

#define NAME		"gpio-irq-consumer"
#define MAX_CONSUMERS	64
#define LONGEST_LINE	256
#define HOLD_SECONDS	60

struct consumer {
	struct list_head node;
	const char *label;
	unsigned int offset;

	struct gpio_device *gdev;
	/* Whose driver owns the chip: while it is locked, the chip neither comes nor goes. */
	struct device *parent;
	/* The line, whether we have taken it or not. */
	struct gpio_desc *line;
	/* What we have taken. */
	struct gpio_desc *input;
	struct gpio_desc *output;
	unsigned int irq;

	unsigned long flags;
	bool threaded;
	bool irq_only;
	bool hold;
	unsigned long nosync_calls;
	unsigned int clear_offset;
	unsigned int clear_level;
	unsigned long clear_calls;

	/* Written by the handlers, of which one runs at a time. */
	unsigned long hard;
	unsigned long thread;
	bool in_hardirq;
	int last;

	/* Calls of disable_irq() that were not undone. */
	atomic_t disables;
	unsigned int wakes;
	unsigned int releases;
	bool ending;
	wait_queue_head_t wait;
};

static LIST_HEAD(consumers);

/* One operation at a time. */
static DEFINE_MUTEX(operations_lock);

/*
 * Protects the list, and is held for short: an operation may wait for a handler which
 * waits for its release. Who changes the list has both locks.
 */
static DEFINE_MUTEX(list_lock);

static irqreturn_t hard_handler(int irq, void *data)
{
	struct consumer *c = data;
	unsigned long calls = c->hard + 1;

	WRITE_ONCE(c->in_hardirq, !!in_hardirq());
	WRITE_ONCE(c->hard, calls);

	if (calls == c->nosync_calls) {
		disable_irq_nosync(irq);
		atomic_inc(&c->disables);
	}
	return IRQ_HANDLED;
}

static irqreturn_t thread_handler(int irq, void *data)
{
	struct consumer *c = data;
	unsigned int releases = READ_ONCE(c->releases);
	unsigned long calls = c->thread + 1;
	int ret;

	if (c->input)
		WRITE_ONCE(c->last, gpiod_get_value_cansleep(c->input));
	/* Pairs with calls_show(): who sees that this call has begun can release it. */
	smp_store_release(&c->thread, calls);

	if (calls == c->clear_calls) {
		ret = gpiod_set_value_cansleep(c->output, c->clear_level);
		if (ret)
			pr_err("line %u cannot be set: %d\n", c->clear_offset, ret);
	}
	if (c->hold)
		wait_event_idle_timeout(c->wait,
					READ_ONCE(c->releases) != releases || READ_ONCE(c->ending),
					HOLD_SECONDS * HZ);
	return IRQ_HANDLED;
}

/*
 * Whether the chip, and with it our interrupt, is still there. When a chip is removed,
 * gpiolib frees the interrupts of its lines and disposes of their mappings; after that the
 * number may be that of another interrupt. The chip's parent is locked.
 */
static bool is_alive(struct consumer *c)
{
	device_lock_assert(c->parent);

	return gpiod_to_irq(c->line) == c->irq;
}

static void release(struct consumer *c)
{
	WRITE_ONCE(c->releases, c->releases + 1);
	wake_up_all(&c->wait);
}

static void destroy_consumer(struct consumer *c)
{
	if (!c)
		return;

	if (c->parent) {
		WRITE_ONCE(c->ending, true);
		wake_up_all(&c->wait);

		guard(device)(c->parent);

		if (c->irq && is_alive(c)) {
			for (; c->wakes; c->wakes--)
				disable_irq_wake(c->irq);
			free_irq(c->irq, c);
		}
		/* These look themselves whether the chip is there. */
		gpiochip_free_own_desc(c->input);
		gpiochip_free_own_desc(c->output);
	}
	put_device(c->parent);
	gpio_device_put(c->gdev);
	kfree(c->label);
	kfree(c);
}

DEFINE_FREE(destroy_consumer, struct consumer *, destroy_consumer(_T))

static int match_chip(struct gpio_chip *gc, const void *data)
{
	/* Not const by itself: this is only how it gets here. */
	struct consumer *c = *(struct consumer *const *)data;

	if (!gc->label || !gc->parent || strcmp(gc->label, c->label))
		return 0;

	c->parent = get_device(gc->parent);
	return 1;
}

static struct gpio_desc *take_line(struct consumer *c, unsigned int offset, enum gpiod_flags flags)
{
	struct gpio_chip *gc = gpio_device_get_chip(c->gdev);

	if (!gc)
		return ERR_PTR(-ENODEV);
	return gpiochip_request_own_desc(gc, offset, NAME, GPIO_LOOKUP_FLAGS_DEFAULT, flags);
}

/* Takes everything; what was taken before something failed is the caller's to give back. */
static int take(struct consumer *c)
{
	int ret;

	guard(device)(c->parent);

	c->line = gpio_device_get_desc(c->gdev, c->offset);
	if (IS_ERR(c->line))
		return PTR_ERR(c->line);

	if (c->clear_calls) {
		struct gpio_desc *output = gpio_device_get_desc(c->gdev, c->clear_offset);

		if (!IS_ERR(output))
			output = take_line(c, c->clear_offset,
					   c->clear_level ? GPIOD_OUT_LOW : GPIOD_OUT_HIGH);
		if (IS_ERR(output))
			return PTR_ERR(output);
		c->output = output;
	}

	if (!c->irq_only) {
		struct gpio_desc *input = take_line(c, c->offset, GPIOD_IN);

		if (IS_ERR(input))
			return PTR_ERR(input);
		c->input = input;
	}

	ret = gpiod_to_irq(c->line);
	if (ret < 0)
		return ret;

	c->irq = ret;
	if (c->threaded)
		ret = request_threaded_irq(c->irq, NULL, thread_handler, c->flags | IRQF_ONESHOT,
					   NAME, c);
	else
		ret = request_irq(c->irq, hard_handler, c->flags, NAME, c);
	if (ret)
		c->irq = 0;
	return ret;
}

static int parse_type(const char *word)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {
		{ "none", IRQ_TYPE_NONE },
		{ "rising", IRQ_TYPE_EDGE_RISING },
		{ "falling", IRQ_TYPE_EDGE_FALLING },
		{ "both", IRQ_TYPE_EDGE_BOTH },
		{ "high", IRQ_TYPE_LEVEL_HIGH },
		{ "low", IRQ_TYPE_LEVEL_LOW },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(word, types[i].name))
			return types[i].type;
	return -EINVAL;
}

static int parse_level(const char *word)
{
	bool level;
	int ret = kstrtobool(word, &level);

	return ret ?: level;
}

static int parse_option(struct consumer *c, const char *word)
{
	const char *value;

	if (!strcmp(word, "hard")) {
		c->threaded = false;
	} else if (!strcmp(word, "threaded")) {
		c->threaded = true;
	} else if (!strcmp(word, "no-thread")) {
		c->flags |= IRQF_NO_THREAD;
	} else if (!strcmp(word, "shared")) {
		c->flags |= IRQF_SHARED;
	} else if (!strcmp(word, "irq-only")) {
		c->irq_only = true;
	} else if (!strcmp(word, "hold")) {
		c->hold = true;
	} else if (!strncmp(word, "nosync=", 7)) {
		return kstrtoul(word + 7, 10, &c->nosync_calls);
	} else if (!strncmp(word, "clear=", 6)) {
		char end;

		value = word + 6;
		if (sscanf(value, "%u:%u:%lu%c", &c->clear_offset, &c->clear_level,
			   &c->clear_calls, &end) != 3)
			return -EINVAL;
		if (c->clear_level > 1 || !c->clear_calls)
			return -EINVAL;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* What only one sort of handler can do. */
static bool options_fit(const struct consumer *c)
{
	if (c->threaded)
		return !c->nosync_calls && !(c->flags & IRQF_NO_THREAD);
	return !c->clear_calls && !c->hold;
}

static int request_consumer(int argc, char **argv)
{
	struct consumer *c __free(destroy_consumer) = kzalloc_obj(*c);
	int ret;

	if (!c)
		return -ENOMEM;
	INIT_LIST_HEAD(&c->node);
	init_waitqueue_head(&c->wait);
	c->last = -1;

	c->label = kstrdup(argv[0], GFP_KERNEL);
	if (!c->label)
		return -ENOMEM;
	ret = kstrtouint(argv[1], 10, &c->offset);
	if (ret)
		return ret;
	ret = parse_type(argv[2]);
	if (ret < 0)
		return ret;
	/* IRQ_TYPE_* and IRQF_TRIGGER_* are the same. */
	c->flags = ret;
	for (int i = 3; i < argc; i++) {
		ret = parse_option(c, argv[i]);
		if (ret)
			return ret;
	}
	if (!options_fit(c))
		return -EINVAL;
	if (list_count_nodes(&consumers) >= MAX_CONSUMERS)
		return -ENOSPC;

	c->gdev = gpio_device_find(&c, match_chip);
	if (!c->gdev)
		return -ENODEV;
	ret = take(c);
	if (ret)
		return ret;

	guard(mutex)(&list_lock);
	list_add_tail(&no_free_ptr(c)->node, &consumers);
	return 0;
}

/* The last one, if there are several. */
static struct consumer *find_consumer(char **argv)
{
	struct consumer *c;
	unsigned int offset;

	if (kstrtouint(argv[1], 10, &offset))
		return NULL;
	list_for_each_entry_reverse(c, &consumers, node)
		if (c->offset == offset && !strcmp(c->label, argv[0]))
			return c;
	return NULL;
}

static void free_one(struct consumer *c)
{
	scoped_guard(mutex, &list_lock)
		list_del(&c->node);
	destroy_consumer(c);
}

static void free_all(void)
{
	struct consumer *c, *next;

	list_for_each_entry_safe(c, next, &consumers, node)
		free_one(c);
}

static int free_consumer(int argc, char **argv)
{
	struct consumer *c;

	if (argc == 1) {
		if (strcmp(argv[0], "all"))
			return -EINVAL;
		free_all();
		return 0;
	}

	c = find_consumer(argv);
	if (!c)
		return -ENOENT;
	free_one(c);
	return 0;
}

static int disable_consumer(struct consumer *c, const char *unused)
{
	atomic_inc(&c->disables);
	disable_irq(c->irq);
	return 0;
}

static int enable_consumer(struct consumer *c, const char *unused)
{
	if (!atomic_add_unless(&c->disables, -1, 0))
		return -EINVAL;
	enable_irq(c->irq);
	return 0;
}

static int set_type(struct consumer *c, const char *word)
{
	int type = parse_type(word);

	return type < 0 ? type : irq_set_irq_type(c->irq, type);
}

static int set_wake(struct consumer *c, const char *word)
{
	int on = parse_level(word);
	int ret;

	if (on < 0 || (!on && !c->wakes))
		return -EINVAL;
	ret = irq_set_irq_wake(c->irq, on);
	if (!ret)
		c->wakes += on ? 1 : -1;
	return ret;
}

static int make_output(struct consumer *c, const char *word)
{
	int level = parse_level(word);

	if (level < 0)
		return level;
	return c->input ? gpiod_direction_output(c->input, level) : -EPERM;
}

struct command {
	const char *name;
	int least;
	int most;
	/* One of these: on its words, or on a consumer whose chip is there. */
	int (*run)(int argc, char **argv);
	int (*run_on)(struct consumer *c, const char *word);
};

static const struct command commands[] = {
	{ "request", 3, 16, .run = request_consumer },
	{ "free", 1, 2, .run = free_consumer },
	{ "disable", 2, 2, .run_on = disable_consumer },
	{ "enable", 2, 2, .run_on = enable_consumer },
	{ "type", 3, 3, .run_on = set_type },
	{ "wake", 3, 3, .run_on = set_wake },
	{ "output", 3, 3, .run_on = make_output },
};

static int run_command(const struct command *command, int argc, char **argv)
{
	struct consumer *c;

	if (argc < command->least || argc > command->most)
		return -EINVAL;

	guard(mutex)(&operations_lock);

	if (command->run)
		return command->run(argc, argv);

	c = find_consumer(argv);
	if (!c)
		return -ENOENT;

	guard(device)(c->parent);

	if (!is_alive(c))
		return -ENODEV;
	return command->run_on(c, argc > 2 ? argv[2] : NULL);
}

/* This has to work while an operation waits for a handler. */
static int release_consumer(int argc, char **argv)
{
	struct consumer *c;

	if (argc != 2)
		return -EINVAL;

	guard(mutex)(&list_lock);

	c = find_consumer(argv);
	if (!c)
		return -ENOENT;
	release(c);
	return 0;
}

static ssize_t command_write(struct file *file, const char __user *buffer, size_t size,
			     loff_t *position)
{
	const struct command *command = file->private_data;
	char **argv;
	int argc, ret;

	if (size > LONGEST_LINE)
		return -E2BIG;

	char *text __free(kfree) = memdup_user_nul(buffer, size);
	if (IS_ERR(text))
		return PTR_ERR(text);

	argv = argv_split(GFP_KERNEL, text, &argc);
	if (!argv)
		return -ENOMEM;
	ret = command ? run_command(command, argc, argv) : release_consumer(argc, argv);
	argv_free(argv);

	return ret ?: size;
}

static const struct file_operations command_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = command_write,
};

static int calls_show(struct seq_file *file, void *unused)
{
	struct consumer *c;

	guard(mutex)(&list_lock);

	list_for_each_entry(c, &consumers, node) {
		/* Pairs with thread_handler(): a level is not older than its call. */
		unsigned long calls = smp_load_acquire(&c->thread);

		seq_printf(file, "%s %u hard=%lu thread=%lu in_hardirq=%d last=%d\n",
			   c->label, c->offset, READ_ONCE(c->hard), calls,
			   READ_ONCE(c->in_hardirq), READ_ONCE(c->last));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(calls);

static struct dentry *folder;

static int __init consumer_init(void)
{
	folder = debugfs_create_dir(NAME, NULL);

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		debugfs_create_file(commands[i].name, 0200, folder, (void *)&commands[i],
				    &command_operations);
	debugfs_create_file("release", 0200, folder, NULL, &command_operations);
	debugfs_create_file("calls", 0400, folder, NULL, &calls_fops);
	return 0;
}
module_init(consumer_init);

static void __exit consumer_exit(void)
{
	/* Nobody is in one of the files after this. */
	debugfs_remove(folder);
	free_all();
}
module_exit(consumer_exit);

MODULE_AUTHOR("The gpio-virtio developers");
MODULE_DESCRIPTION("Takes interrupts of GPIO lines, for tests");
MODULE_LICENSE("GPL");

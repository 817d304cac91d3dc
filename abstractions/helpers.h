/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions for what Rust cannot call: inline functions and macros.
 */
#ifndef GPIO_VIRTIO_HELPERS_H
#define GPIO_VIRTIO_HELPERS_H

#include <linux/gpio/driver.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/virtio_config.h>
#include <linux/workqueue.h>

struct device;
struct ratelimit_state;

void gpio_virtio_ratelimit_init(struct ratelimit_state *state);

bool gpio_virtio_may_sleep(void);
bool gpio_virtio_has_company(void);
void gpio_virtio_preempt_disable(void);
void gpio_virtio_preempt_enable(void);

void gpio_virtio_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				    struct lock_class_key *key);
void gpio_virtio_raw_spin_lock(raw_spinlock_t *lock);
bool gpio_virtio_raw_spin_trylock(raw_spinlock_t *lock);
void gpio_virtio_raw_spin_unlock(raw_spinlock_t *lock);
void gpio_virtio_assert_raw_spin_locked(raw_spinlock_t *lock);

void gpio_virtio_init_work(struct delayed_work *work, work_func_t func);
void gpio_virtio_queue_work(struct delayed_work *work, unsigned long delay);
void gpio_virtio_postpone_work(struct delayed_work *work, unsigned long delay);

int gpio_virtio_gpiochip_add_data(struct gpio_chip *gc, void *data);

bool gpio_virtio_has_feature(const struct virtio_device *vdev, unsigned int bit);
size_t gpio_virtio_config_size(struct virtio_device *vdev);
u32 gpio_virtio_config_generation(struct virtio_device *vdev);
void gpio_virtio_config_read(struct virtio_device *vdev, unsigned int offset,
			     void *buf, unsigned int len);
int gpio_virtio_find_vqs(struct virtio_device *vdev, unsigned int count,
			 struct virtqueue *vqs[], struct virtqueue_info infos[]);
void gpio_virtio_del_vqs(struct virtio_device *vdev);
void gpio_virtio_device_ready(struct virtio_device *vdev);
bool gpio_virtio_can_reset(struct virtio_device *vdev);
bool gpio_virtio_has_failed(struct virtio_device *vdev);
bool gpio_virtio_is_present(struct virtio_device *vdev);

void gpio_virtio_device_lock(struct device *dev);
bool gpio_virtio_device_trylock(struct device *dev);
void gpio_virtio_device_unlock(struct device *dev);

/* Those of trace.c; not there without CONFIG_TRACEPOINTS */
bool gpio_virtio_trace_request_enabled(void);
void gpio_virtio_trace_request(const char *device, u16 line, u16 kind, u32 value);
bool gpio_virtio_trace_reply_enabled(void);
void gpio_virtio_trace_reply(const char *device, u16 line, u16 kind, u32 written, int outcome);
bool gpio_virtio_trace_event_enabled(void);
void gpio_virtio_trace_event(const char *device, u16 line, u32 written, u32 value, bool accepted);

#endif /* GPIO_VIRTIO_HELPERS_H */

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * C functions for what Rust cannot call: inline functions and macros.
 */
#ifndef GPIO_VIRTIO_HELPERS_H
#define GPIO_VIRTIO_HELPERS_H

#include <linux/gpio/driver.h>
#include <linux/spinlock_types.h>
#include <linux/types.h>
#include <linux/workqueue.h>

struct ratelimit_state;
struct virtio_device;
struct virtqueue;
struct virtqueue_info;

void gpio_virtio_ratelimit_init(struct ratelimit_state *state);

bool gpio_virtio_may_sleep(void);
bool gpio_virtio_has_company(void);

void gpio_virtio_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				    struct lock_class_key *key);
void gpio_virtio_raw_spin_lock(raw_spinlock_t *lock);
bool gpio_virtio_raw_spin_trylock(raw_spinlock_t *lock);
void gpio_virtio_raw_spin_unlock(raw_spinlock_t *lock);
void gpio_virtio_assert_raw_spin_locked(raw_spinlock_t *lock);

void gpio_virtio_init_work(struct work_struct *work, work_func_t func);
void gpio_virtio_queue_work(struct work_struct *work);

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

#endif /* GPIO_VIRTIO_HELPERS_H */

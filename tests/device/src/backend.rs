// SPDX-License-Identifier: GPL-2.0

//! What the vhost-user crates call.

use std::{
    io,
    sync::{
        Arc,
        Mutex,
        PoisonError, //
    },
};

use vhost::vhost_user::{
    message::{
        VhostUserProtocolFeatures,
        VhostUserVirtioFeatures, //
    },
    Backend as Channel, //
};
use vhost_user_backend::{
    VhostUserBackend,
    VringRwLock, //
};
use virtio_bindings::{
    virtio_config::VIRTIO_F_VERSION_1,
    virtio_ring::{
        VIRTIO_RING_F_EVENT_IDX,
        VIRTIO_RING_F_INDIRECT_DESC, //
    },
};
use vmm_sys_util::{
    epoll::EventSet,
    event::{
        new_event_consumer_and_notifier,
        EventConsumer,
        EventFlag,
        EventNotifier, //
    },
};

use crate::{
    device::Device,
    ring::Memory, //
};

const QUEUES: usize = 2;
const QUEUE_SIZE: usize = 1024;

/// The back end of one connection.
pub struct Backend {
    device: Arc<Device>,
    /// User-Mode Linux sees by it that we are gone. There is nothing that we would send.
    channel: Mutex<Option<Channel>>,
}

impl Backend {
    /// A back end for a device.
    pub fn new(device: Arc<Device>) -> Self {
        Self {
            device,
            channel: Mutex::new(None),
        }
    }
}

impl VhostUserBackend for Backend {
    type Bitmap = ();
    type Vring = VringRwLock;

    fn num_queues(&self) -> usize {
        QUEUES
    }

    fn max_queue_size(&self) -> usize {
        QUEUE_SIZE
    }

    fn features(&self) -> u64 {
        (1 << VIRTIO_F_VERSION_1)
            | (1 << VIRTIO_RING_F_EVENT_IDX)
            | (1 << VIRTIO_RING_F_INDIRECT_DESC)
            | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
            | self.device.features()
    }

    fn acked_features(&self, features: u64) {
        log::info!("a driver starts the device, features {features:#x}");
        self.device.start(features);
    }

    fn protocol_features(&self) -> VhostUserProtocolFeatures {
        VhostUserProtocolFeatures::BACKEND_REQ
            | VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::REPLY_ACK
    }

    fn reset_device(&self) {
        self.device.stop();
    }

    fn set_event_idx(&self, _enabled: bool) {
        // The rings know.
    }

    fn get_config(&self, offset: u32, size: u32) -> Vec<u8> {
        self.device.config_window(offset, size)
    }

    fn set_config(&self, _offset: u32, _bytes: &[u8]) -> io::Result<()> {
        self.device.config_written();
        Ok(())
    }

    fn update_memory(&self, memory: Memory) -> io::Result<()> {
        self.device.set_memory(memory);
        Ok(())
    }

    fn set_backend_req_fd(&self, channel: Channel) {
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = Some(channel);
    }

    fn exit_event(&self, _thread: usize) -> Option<(EventConsumer, EventNotifier)> {
        new_event_consumer_and_notifier(EventFlag::NONBLOCK | EventFlag::CLOEXEC).ok()
    }

    fn stop_vring(&self, queue: u32) -> io::Result<()> {
        log::debug!("queue {queue} is stopped");
        self.device.stop();
        Ok(())
    }

    fn handle_event(
        &self,
        event: u16,
        _events: EventSet,
        vrings: &[VringRwLock],
        _thread: usize,
    ) -> io::Result<()> {
        // An error would end the thread: there are none.
        self.device.look(usize::from(event), vrings);
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A device with its sockets, and a front end for it that is driven by hand.

// Each test program uses its own part, and fails where it does not get what it needs.
#![allow(dead_code, clippy::panic, clippy::unwrap_used)]

pub mod control;
pub mod queue;

use std::{
    os::unix::net::UnixStream,
    path::Path,
    sync::Arc,
    thread, //
};

use control::Control;
use queue::Queue;
use tempfile::TempDir;
use vhost::{
    vhost_user::{
        message::{
            VhostUserConfigFlags,
            VhostUserProtocolFeatures,
            VhostUserVirtioFeatures, //
        },
        Frontend,
        VhostUserFrontend, //
    },
    VhostBackend,
    VhostUserMemoryRegionInfo,
    VringConfigData, //
};
use vhost_gpio::{
    config::Configuration,
    control::serve as serve_control,
    device::Device,
    protocol::{
        rfc::{
            Rfc,
            F_IRQ_TYPE, //
        },
        standard::{
            Standard,
            IRQ, //
        },
        Protocol,
        When, //
    },
    serve::{
        serve,
        Socket, //
    },
};
use virtio_bindings::{
    virtio_config::VIRTIO_F_VERSION_1,
    virtio_ring::{
        VIRTIO_RING_F_EVENT_IDX,
        VIRTIO_RING_F_INDIRECT_DESC, //
    },
};
use vm_memory::{
    Bytes,
    FileOffset,
    GuestAddress,
    GuestMemoryBackend,
    GuestMemoryMmap, //
};

/// Bytes of the guest's memory.
pub const MEMORY: u64 = 1 << 20;

/// Where the rings are; the rest of the memory is for buffers.
const RINGS: u64 = 0x1_0000;

/// Number of the queue with events, in the RFC's protocol; in the standard's, of the other one.
pub const EVENTS: usize = 0;
/// Number of the queue with commands, in the RFC's protocol; in the standard's, of the other one.
pub const COMMANDS: usize = 1;

/// The device's side.
pub struct Rig {
    pub device: Arc<Device>,
    /// Numbers of the queues with commands and with events.
    queues: [usize; 2],
    folder: TempDir,
    _sockets: [Socket; 2],
}

impl Rig {
    pub fn new(lines: u16) -> Self {
        Self::with_config(Configuration {
            lines,
            ..Configuration::default()
        })
    }

    /// A device that offers interrupts.
    pub fn with_interrupts(lines: u16) -> Self {
        let config = Configuration {
            lines,
            ..Configuration::default()
        };
        Self::with_protocol(Rfc::new(true), config)
    }

    /// A standard device, with interrupts.
    pub fn standard(lines: u16) -> Self {
        Self::standard_with(lines, When::Before)
    }

    /// A standard device that gives the buffers of disabled interrupts back in this way.
    pub fn standard_with(lines: u16, invalid: When) -> Self {
        let config = Configuration {
            lines,
            ..Configuration::default()
        };
        Self::with_protocol(Standard::new(true, invalid), config)
    }

    pub fn with_config(config: Configuration) -> Self {
        Self::with_protocol(Rfc::new(false), config)
    }

    pub fn with_protocol(protocol: impl Protocol + 'static, config: Configuration) -> Self {
        let queues = [protocol.command_queue(), protocol.event_queue()];
        let folder = tempfile::tempdir().unwrap();
        let device = Arc::new(Device::new(Box::new(protocol), config));
        let front = Socket::new(&folder.path().join("vhost")).unwrap();
        let control = Socket::new(&folder.path().join("control")).unwrap();

        let (listener, served) = (front.listener().unwrap(), device.clone());
        thread::spawn(move || serve(listener, &served));
        let (listener, served) = (control.listener().unwrap(), device.clone());
        thread::spawn(move || serve_control(&listener, &served));
        let timed = device.clone();
        thread::spawn(move || timed.run_timer());

        Self {
            device,
            queues,
            folder,
            _sockets: [front, control],
        }
    }

    pub fn control(&self) -> Control {
        Control::new(UnixStream::connect(self.folder.path().join("control")).unwrap())
    }

    /// A front end that has said hello, but has started nothing.
    pub fn connect(&self) -> Front {
        Front::connect(&self.folder.path().join("vhost"), self.queues)
    }

    /// A front end with a driver that has started the device.
    pub fn start(&self) -> Front {
        let mut front = self.connect();
        front.start(true);
        front
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.device.quit();
    }
}

/// The front end's and the driver's side.
pub struct Front {
    pub frontend: Frontend,
    pub memory: GuestMemoryMmap,
    pub queues: Vec<Queue>,
    /// Numbers of the queues with commands and with events.
    numbers: [usize; 2],
    pub offered: u64,
    /// Of the device's own features, those that are accepted if they are offered.
    pub accept: u64,
}

impl Front {
    /// One that has said hello, but has started nothing. The numbers of the queues are those of the
    /// one with commands and of the one with events.
    pub fn connect(path: &Path, numbers: [usize; 2]) -> Self {
        let mut frontend = Frontend::connect(path, 2).unwrap();
        frontend.set_owner().unwrap();
        let offered = frontend.get_features().unwrap();
        let protocol = VhostUserProtocolFeatures::BACKEND_REQ
            | VhostUserProtocolFeatures::CONFIG
            | VhostUserProtocolFeatures::MQ
            | VhostUserProtocolFeatures::REPLY_ACK;
        // Has to be acknowledged before the protocol features.
        assert_ne!(
            offered & VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits(),
            0
        );
        assert!(frontend.get_protocol_features().unwrap().contains(protocol));
        frontend.set_protocol_features(protocol).unwrap();
        frontend.set_hdr_flags(vhost::vhost_user::message::VhostUserHeaderFlag::NEED_REPLY);

        let file = tempfile::tempfile().unwrap();
        file.set_len(MEMORY).unwrap();
        let range = (
            GuestAddress(0),
            usize::try_from(MEMORY).unwrap(),
            Some(FileOffset::new(file, 0)),
        );
        let memory = GuestMemoryMmap::from_ranges_with_files([range]).unwrap();
        Self {
            frontend,
            memory,
            queues: Vec::new(),
            numbers,
            offered,
            accept: F_IRQ_TYPE | IRQ,
        }
    }

    /// Starts the device, as a front end does when a driver is ready.
    pub fn start(&mut self, event_idx: bool) {
        let event_idx_bit = u64::from(event_idx) << VIRTIO_RING_F_EVENT_IDX;
        let features = VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits()
            | (1 << VIRTIO_F_VERSION_1)
            | (1 << VIRTIO_RING_F_INDIRECT_DESC)
            | event_idx_bit;
        assert_eq!(self.offered & features, features);
        let features = features | (self.offered & self.accept);
        self.frontend.set_features(features).unwrap();

        let region = self.memory.iter().next().unwrap();
        let region = VhostUserMemoryRegionInfo::from_guest_region(region).unwrap();
        let base = region.userspace_addr;
        self.frontend.set_mem_table(&[region]).unwrap();

        self.memory
            .write_slice(&vec![0; usize::try_from(RINGS).unwrap()], GuestAddress(0))
            .unwrap();
        self.queues.clear();
        for index in 0..2u64 {
            let half = RINGS / 2;
            let buffers = RINGS + index * 0x4_0000;
            let queue = Queue::new(self.memory.clone(), index * half, buffers, event_idx);
            let number = usize::try_from(index).unwrap();

            self.frontend.set_vring_num(number, queue::SIZE).unwrap();
            let data = VringConfigData {
                queue_max_size: queue::SIZE,
                queue_size: queue::SIZE,
                flags: 0,
                desc_table_addr: base + queue.descriptors.0,
                used_ring_addr: base + queue.used.0,
                avail_ring_addr: base + queue.available.0,
                log_addr: None,
            };
            self.frontend.set_vring_base(number, 0).unwrap();
            self.frontend.set_vring_addr(number, &data).unwrap();
            self.frontend.set_vring_call(number, &queue.call).unwrap();
            self.frontend.set_vring_kick(number, &queue.kick).unwrap();
            self.frontend.set_vring_enable(number, true).unwrap();
            self.queues.push(queue);
        }
    }

    /// Disables the queues.
    pub fn disable(&mut self) {
        for number in 0..2 {
            self.frontend.set_vring_enable(number, false).unwrap();
        }
    }

    /// Stops the device, as a front end does when a driver resets it.
    pub fn stop(&mut self) {
        self.disable();
        for number in 0..2 {
            self.frontend.get_vring_base(number).unwrap();
        }
    }

    /// All of the memory.
    pub fn everything(&self) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(MEMORY).unwrap()];
        self.memory.read_slice(&mut bytes, GuestAddress(0)).unwrap();
        bytes
    }

    pub fn config(&mut self, offset: u32, size: u32) -> Vec<u8> {
        let buffer = vec![0; usize::try_from(size).unwrap()];
        let flags = VhostUserConfigFlags::empty();
        self.frontend
            .get_config(offset, size, flags, &buffer)
            .unwrap()
            .1
    }

    pub fn commands(&mut self) -> &mut Queue {
        &mut self.queues[self.numbers[0]]
    }

    pub fn events(&mut self) -> &mut Queue {
        &mut self.queues[self.numbers[1]]
    }

    /// Sends a command as bytes, and returns what comes back.
    pub fn raw_command(&mut self, message: [u8; 8]) -> (u32, [u8; 8]) {
        let queue = self.commands();
        queue.add(&message, 8);
        queue.kick();
        let used = queue.wait();
        (used.written, used.bytes.try_into().unwrap())
    }

    /// Sends a standard command by its fields, and returns the status and the value.
    pub fn request(&mut self, kind: u16, line: u16, value: u32) -> (u8, u8) {
        let queue = self.commands();
        queue.add(&message(kind, line, value), 2);
        queue.kick();
        let used = queue.wait();
        assert_eq!(used.written, 2);
        (used.bytes[0], used.bytes[1])
    }

    /// Queues the buffer of a line's interrupt.
    pub fn unmask(&mut self, line: u16) -> u16 {
        let queue = self.events();
        let head = queue.add(&line.to_le_bytes(), 1);
        queue.kick();
        head
    }

    /// Sends a command by its fields, and returns the fields of the reply.
    pub fn command(&mut self, kind: u16, line: u16, value: u32) -> (u16, u16, i32) {
        let (written, reply) = self.raw_command(message(kind, line, value));
        assert_eq!(written, 8);
        fields(&reply)
    }
}

/// The bytes of a message, put together without the code that is tested.
pub fn message(kind: u16, line: u16, value: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[0..2].copy_from_slice(&kind.to_le_bytes());
    bytes[2..4].copy_from_slice(&line.to_le_bytes());
    bytes[4..8].copy_from_slice(&value.to_le_bytes());
    bytes
}

/// The fields of a message.
pub fn fields(bytes: &[u8]) -> (u16, u16, i32) {
    (
        u16::from_le_bytes(bytes[0..2].try_into().unwrap()),
        u16::from_le_bytes(bytes[2..4].try_into().unwrap()),
        i32::from_le_bytes(bytes[4..8].try_into().unwrap()),
    )
}

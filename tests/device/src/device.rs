// SPDX-License-Identifier: GPL-2.0

//! One device: everything that belongs to it, under one lock.
//!
//! Three sides come in here: the [back end](crate::backend) with what the front end and the driver
//! do, the [control channel](crate::control) with what a test does, and a timer. Locks are taken in
//! one order: the device's, then a ring's.

use std::{
    collections::HashSet,
    sync::{
        Condvar,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
    time::Instant, //
};

use gpio_virtio_logic::rfc::Level;
use vhost_user_backend::VringRwLock;
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;

use crate::{
    config::{
        window,
        ConfigError,
        Configuration, //
    },
    faults::{
        Fault,
        Faults, //
    },
    lines::{
        Line,
        Lines, //
    },
    outbox::Outbox,
    protocol::{
        Bench,
        Protocol, //
    },
    ring::{
        Chain,
        Memory,
        Next,
        Ring, //
    },
    stats::Stats,
    violation::Violation,
    watch::{
        Watcher,
        Watchers, //
    },
};

/// So many chains are taken at most before others get the lock.
const BATCH: usize = 1024;

/// A command's answer on its way back.
struct Parcel {
    chain: Chain,
    bytes: Vec<u8>,
    claim: u32,
}

/// A device.
pub struct Device {
    core: Mutex<Core>,
    timer: Condvar,
}

struct Core {
    protocol: Box<dyn Protocol>,
    /// What the front end is told now; the lines follow when a driver starts.
    config: Configuration,
    space: Vec<u8>,
    lines: Lines,
    running: bool,
    memory: Option<Memory>,
    rings: Vec<Ring>,
    /// Queues that have been enabled but not looked at: that is not a notification by the driver.
    fresh: HashSet<usize>,
    faults: Faults,
    outbox: Outbox<Parcel>,
    parcels: u16,
    /// When the timer is going to wake up.
    armed: Option<Instant>,
    quit: bool,
    stats: Stats,
    watchers: Watchers,
}

impl Device {
    /// A device that nobody drives yet.
    pub fn new(protocol: Box<dyn Protocol>, config: Configuration) -> Self {
        Self {
            core: Mutex::new(Core {
                space: protocol.config_space(&config),
                lines: Lines::new(config.lines),
                protocol,
                config,
                running: false,
                memory: None,
                rings: Vec::new(),
                fresh: HashSet::new(),
                faults: Faults::default(),
                outbox: Outbox::default(),
                parcels: 0,
                armed: None,
                quit: false,
                stats: Stats::default(),
                watchers: Watchers::default(),
            }),
            timer: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the timer know when something is due earlier than it thinks.
    fn rearm(&self, core: &Core) {
        let deadline = core.outbox.deadline();
        if deadline.is_some_and(|at| core.armed.is_none_or(|armed| at < armed)) {
            self.timer.notify_all();
        }
    }

    /// Gives answers back when their time has come, until the device [quits](Self::quit).
    pub fn run_timer(&self) {
        let mut core = self.lock();
        while !core.quit {
            let now = Instant::now();
            for parcel in core.outbox.due(now) {
                core.deliver(parcel);
            }
            let queue = core.protocol.command_queue();
            core.signal(queue);

            core.armed = core.outbox.deadline();
            core = match core.armed {
                Some(at) => {
                    let wait = at.saturating_duration_since(now);
                    let woken = self.timer.wait_timeout(core, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self
                    .timer
                    .wait(core)
                    .unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Ends the timer.
    pub fn quit(&self) {
        self.lock().quit = true;
        self.timer.notify_all();
    }
}

/// What the front end and the driver do.
impl Device {
    /// The device's own feature bits.
    pub fn features(&self) -> u64 {
        self.lock().protocol.features()
    }

    /// Part of the configuration space.
    pub fn config_window(&self, offset: u32, size: u32) -> Vec<u8> {
        window(&self.lock().space, offset, size)
    }

    /// The driver has written to the configuration space.
    pub fn config_written(&self) {
        self.lock().stats.violation(Violation::ConfigWrite);
    }

    /// The front end has shared memory, and has taken back what it shared before.
    pub fn set_memory(&self, memory: Memory) {
        self.lock().memory = Some(memory);
    }

    /// A driver starts the device, with these features.
    pub fn start(&self, features: u64) {
        let mut core = self.lock();
        core.stop();
        if features & (1 << VIRTIO_F_VERSION_1) == 0 {
            core.stats.violation(Violation::Version1);
        }
        core.protocol.start(features);
        core.running = true;
        core.fresh = HashSet::from([core.protocol.command_queue(), core.protocol.event_queue()]);
        core.remake_lines();
    }

    /// The front end has stopped a queue, or reset the device: every chain is the driver's again.
    pub fn stop(&self) {
        self.lock().stop();
    }

    /// The front end is gone, and with it the rings and the memory.
    pub fn disconnect(&self) {
        let mut core = self.lock();
        core.stop();
        core.rings.clear();
        core.memory = None;
    }

    /// There may be something in a queue.
    pub fn look(&self, queue: usize, vrings: &[VringRwLock]) {
        let mut first = true;
        loop {
            let mut core = self.lock();
            if std::mem::take(&mut first) {
                core.adopt(vrings);
                if !core.fresh.remove(&queue) {
                    core.stats.notifications += 1;
                }
            }

            let more = if queue == core.protocol.command_queue() {
                core.run_commands()
            } else {
                core.run_events()
            };
            self.rearm(&core);
            if !more {
                break;
            }
        }
    }
}

/// What the control channel can do.
impl Device {
    /// The number of lines.
    pub fn line_count(&self) -> u16 {
        self.lock().lines.count()
    }

    /// A line, and its name.
    pub fn line(&self, line: u16) -> Option<(Line, String)> {
        let core = self.lock();
        let name = core.config.names.get(&line).cloned().unwrap_or_default();
        core.lines.get(line).map(|line| (line, name))
    }

    /// Drives a line from outside; tells whether it exists.
    pub fn drive(&self, line: u16, level: Level) -> bool {
        let mut core = self.lock();
        if core.lines.get(line).is_none() {
            return false;
        }
        if core.lines.drive(line, level) && core.running {
            core.report(line, level);
        }
        true
    }

    /// Replaces the configuration, and returns the size of its space.
    ///
    /// Without a number of lines, there are as many as there were. The lines follow when the next
    /// driver starts the device; now, if none has.
    pub fn configure(
        &self,
        lines: Option<u16>,
        config: Configuration,
    ) -> Result<usize, ConfigError> {
        let mut core = self.lock();
        let config = Configuration {
            lines: lines.unwrap_or(core.config.lines),
            ..config
        };
        config.check()?;
        core.space = core.protocol.config_space(&config);
        core.config = config;
        if !core.running {
            core.remake_lines();
        }
        Ok(core.space.len())
    }

    /// Puts a fault in force.
    pub fn fault(&self, fault: Fault) {
        let mut core = self.lock();
        core.faults.set(fault);
        match fault {
            Fault::OutOfOrder(Some(seed)) => core.outbox.seed(seed),
            Fault::Release => {
                for parcel in core.outbox.release() {
                    core.deliver(parcel);
                }
                let queue = core.protocol.command_queue();
                core.signal(queue);
            }
            _ => {}
        }
    }

    /// All counters.
    pub fn stats(&self) -> String {
        let core = self.lock();
        let queue = core.protocol.command_queue();
        format!(
            "{} in-flight={} owed={}",
            core.stats,
            core.rings.get(queue).map_or(0, Ring::in_flight),
            core.protocol.owed(),
        )
    }

    /// Sets all counters to zero.
    pub fn reset_stats(&self) {
        self.lock().stats = Stats::default();
    }

    /// Tells a client about outputs from now on, after this reply.
    pub fn watch(&self, watcher: Watcher, reply: &str) {
        self.lock().watchers.add(watcher, reply);
    }

    /// Stops telling a client.
    pub fn unwatch(&self, id: u64) {
        self.lock().watchers.remove(id);
    }
}

impl Core {
    /// Takes the rings of a front end that is new.
    fn adopt(&mut self, vrings: &[VringRwLock]) {
        if let (true, Some(memory)) = (self.rings.is_empty(), &self.memory) {
            self.rings = vrings
                .iter()
                .map(|vring| Ring::new(vring.clone(), memory.clone()))
                .collect();
        }
    }

    /// Makes the lines as the configuration says.
    fn remake_lines(&mut self) {
        let count = self.config.lies.num_gpios.unwrap_or(self.config.lines);
        self.lines.restart(count.min(self.config.lines));
    }

    fn stop(&mut self) {
        let dropped = self.outbox.clear();
        self.stats.dropped += u64::try_from(dropped).unwrap_or_default();
        self.protocol.stop();
        for ring in &mut self.rings {
            ring.forget();
        }
        if std::mem::take(&mut self.running) {
            self.stats.resets += 1;
        }
    }

    /// Interrupts the driver if there is something new for it in a queue.
    fn signal(&mut self, queue: usize) {
        if self.rings.get_mut(queue).is_some_and(Ring::signal) {
            self.stats.interrupts += 1;
        }
    }

    /// Takes commands, and tells whether there are more.
    fn run_commands(&mut self) -> bool {
        let queue = self.protocol.command_queue();
        let taken = self.take(queue, Self::command);
        self.signal(queue);
        self.more(queue, taken)
    }

    /// Takes buffers for events, sends what is owed, and tells whether there are more.
    fn run_events(&mut self) -> bool {
        let queue = self.protocol.event_queue();
        let taken = self.send_events();
        self.more(queue, taken)
    }

    /// Takes a batch of chains from a queue, and tells how many there were.
    fn take(&mut self, queue: usize, each: fn(&mut Self, Chain)) -> usize {
        if let Some(ring) = self.rings.get_mut(queue) {
            ring.disable_notification();
        }
        for taken in 0..BATCH {
            match self.rings.get_mut(queue).map(Ring::pop) {
                Some(Next::Chain(chain)) => each(self, chain),
                Some(Next::Violation(violation)) => {
                    self.stats.violation(violation);
                    if violation == Violation::AvailIndex {
                        return taken;
                    }
                }
                Some(Next::Nothing) | None => return taken,
            }
        }
        BATCH
    }

    /// Asks for notifications again, and tells whether there is something new already.
    ///
    /// If the last look found nothing, then it is nothing that can be taken.
    fn more(&mut self, queue: usize, taken: usize) -> bool {
        let ring = self.rings.get_mut(queue);
        ring.is_some_and(Ring::enable_notification) && taken > 0
    }

    /// Runs one command.
    fn command(&mut self, chain: Chain) {
        self.stats.requests += 1;
        let plan = self.faults.plan();
        let bench = Bench {
            lines: &mut self.lines,
            stats: &mut self.stats,
            watchers: &mut self.watchers,
        };
        let mut answer = self.protocol.execute(&chain, plan.refusal(), bench);
        let claim = match plan.mutation {
            Some(mutation) => self.protocol.spoil(&mut answer, mutation),
            None => u32::try_from(answer.bytes.len()).unwrap_or_default(),
        };
        let parcel = Parcel {
            chain,
            bytes: answer.bytes,
            claim,
        };

        if plan.swallow {
            self.outbox.swallow(parcel);
        } else if let Some(delay) = plan.delay {
            self.outbox.delay(parcel, Instant::now() + delay);
        } else if plan.shuffle {
            self.parcels = self.parcels.wrapping_add(1);
            let key = match self.protocol.keeps_order() {
                true => answer.line,
                false => self.parcels,
            };
            for parcel in self.outbox.shuffle(parcel, key, Instant::now()) {
                self.deliver(parcel);
            }
        } else {
            self.deliver(parcel);
        }
    }

    /// Gives a command back to the driver.
    fn deliver(&mut self, parcel: Parcel) {
        let queue = self.protocol.command_queue();
        let Some(ring) = self.rings.get_mut(queue) else {
            return;
        };
        match ring.complete(&parcel.chain, &parcel.bytes, parcel.claim) {
            Ok(true) => self.stats.replies += 1,
            Ok(false) => self.stats.dropped += 1,
            Err(violation) => self.stats.violation(violation),
        }
    }

    /// An input has a new level, by something outside.
    fn report(&mut self, line: u16, level: Level) {
        let merged = self.stats.merged;
        self.protocol.note_change(line, level, &mut self.stats);
        self.send_events();
        if self.protocol.owed() > 0 && self.stats.merged == merged {
            self.stats.held += 1;
        }

        // The look into the queue has turned notifications off.
        let queue = self.protocol.event_queue();
        while self.more(queue, 1) && self.send_events() > 0 {}
    }

    /// Sends what is owed while there are buffers, and tells how many buffers came.
    fn send_events(&mut self) -> usize {
        let queue = self.protocol.event_queue();
        let taken = self.take(queue, Self::take_buffer);

        if let Some(ring) = self.rings.get_mut(queue) {
            while ring.is_usable() {
                let Some((buffer, bytes)) = self.protocol.next_event() else {
                    break;
                };
                let claim = u32::try_from(bytes.len()).unwrap_or_default();
                match ring.complete(&buffer, &bytes, claim) {
                    Ok(true) => self.stats.events += 1,
                    Ok(false) => break,
                    Err(violation) => self.stats.violation(violation),
                }
            }
        }
        self.signal(queue);
        taken
    }

    /// Takes one buffer for events, or gives it back at once.
    fn take_buffer(&mut self, chain: Chain) {
        if let Err(chain) = self.protocol.take_buffer(chain, &mut self.stats) {
            let queue = self.protocol.event_queue();
            let ring = self.rings.get_mut(queue);
            if let Some(Err(violation)) = ring.map(|ring| ring.complete(&chain, &[], 0)) {
                self.stats.violation(violation);
            }
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! One device: everything that belongs to it, under one lock.
//!
//! Three sides come in here: the [back end](crate::backend) with what the front end and the driver
//! do, the [control channel](crate::control) with what a test does ([`outside`]), and a timer.
//! Locks are taken in one order: the device's, then a ring's. What each does while it has the lock
//! has an end, and then others get it: a driver or a burst that never rests stops nobody.

mod outside;
mod report;

use std::{
    collections::HashSet,
    process,
    sync::{
        Condvar,
        Mutex,
        MutexGuard,
        PoisonError, //
    },
    thread,
    time::Instant, //
};

use gpio_virtio_logic::line::Level;
pub use outside::LineError;
use vhost_user_backend::{
    VringRwLock,
    VringT, //
};
use virtio_bindings::virtio_config::VIRTIO_F_VERSION_1;

use crate::{
    bursts::Bursts,
    config::{
        window,
        Configuration, //
    },
    faults::{
        Arsenal,
        Faults,
        Mutation,
        Plan, //
    },
    lines::{
        opposite,
        Lines, //
    },
    outbox::Outbox,
    protocol::{
        size,
        Bench,
        Drive,
        News,
        Protocol,
        When, //
    },
    ring::{
        Breakage,
        Chain,
        Memory,
        Next,
        Ring, //
    },
    stats::Stats,
    violation::Violation,
    watch::Watchers,
    wires::Wires, //
};

/// So many chains are taken at most before others get the lock.
const BATCH: usize = 1024;

/// So many toggles of bursts are made at most before others get the lock.
const PORTION: usize = 64;

/// A command's answer, or a buffer for events without one, on its way back.
struct Parcel {
    queue: usize,
    chain: Chain,
    bytes: Vec<u8>,
    claim: u32,
    news: News,
    breakage: Option<Breakage>,
    /// What is wrong with it, to be counted when it is given back.
    wrong: Wrong,
}

/// What is wrong with what is given back, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// It is not what it should be.
    Hostile,
    /// It is well-formed, but nobody has asked for it.
    Stray,
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
    /// What it is at every second look, if it changes.
    other_space: Option<Vec<u8>>,
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
    bursts: Bursts,
    wires: Wires,
}

/// What can be wrong in a protocol.
fn arsenal(protocol: &dyn Protocol) -> Arsenal {
    let can = |mutation: &Mutation| protocol.check_mutation(*mutation).is_ok();
    Arsenal {
        mutations: Mutation::ALL.iter().copied().filter(can).collect(),
        forgeries: protocol.forgeries(),
    }
}

/// Ends the device, and all that it has not answered with it.
fn die() -> ! {
    log::warn!("the device dies, as it was told to");
    // At once: nobody is told, and nothing is tidied up.
    process::abort()
}

impl Device {
    /// A device that nobody drives yet.
    pub fn new(protocol: Box<dyn Protocol>, config: Configuration) -> Self {
        let mut core = Core {
            space: Vec::new(),
            other_space: None,
            lines: Lines::new(config.lines, protocol.first_direction()),
            faults: Faults::new(arsenal(protocol.as_ref())),
            protocol,
            config,
            running: false,
            memory: None,
            rings: Vec::new(),
            fresh: HashSet::new(),
            outbox: Outbox::default(),
            parcels: 0,
            armed: None,
            quit: false,
            stats: Stats::default(),
            watchers: Watchers::default(),
            bursts: Bursts::default(),
            wires: Wires::default(),
        };
        core.lay_out();
        Self {
            core: Mutex::new(core),
            timer: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the timer know when something is due earlier than it thinks.
    fn rearm(&self, core: &Core) {
        let deadline = core.deadline();
        if deadline.is_some_and(|at| core.armed.is_none_or(|armed| at < armed)) {
            self.timer.notify_all();
        }
    }

    /// Gives answers back and toggles lines when their time has come, until the device
    /// [quits](Self::quit).
    pub fn run_timer(&self) {
        let mut core = self.lock();
        while !core.quit {
            let now = Instant::now();
            for parcel in core.outbox.due(now) {
                core.deliver(parcel);
            }
            let queue = core.protocol.command_queue();
            core.signal(queue);
            core.toggle(now);

            core.armed = core.deadline();
            core = match core.armed {
                Some(at) if at <= now => {
                    drop(core);
                    // Who waits for the lock would not get it before us.
                    thread::yield_now();
                    self.lock()
                }
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
        let mut core = self.lock();
        let bytes = window(&core.space, offset, size);
        core.next_look();
        bytes
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
        let mut core = self.lock();
        core.adopt(vrings);
        if core.fresh.len() == vrings.len()
            && vrings.iter().any(|vring| vring.queue_next_avail() != 0)
        {
            log::info!("the driver has had another device");
            core.protocol.taken_over();
        }
        if !core.fresh.remove(&queue) {
            core.stats.notifications += 1;
        }
        let mut more = if queue == core.protocol.command_queue() {
            core.run_commands()
        } else {
            core.run_events()
        };

        while more {
            self.rearm(&core);
            drop(core);
            core = self.lock();
            // The other queue may be waiting for this thread.
            let commands = core.run_commands();
            let events = core.run_events();
            more = commands || events;
        }
        self.rearm(&core);
    }
}

impl Core {
    /// Lays the configuration out in its space.
    fn lay_out(&mut self) {
        self.space = self.protocol.config_space(&self.config);
        let other = self.config.at_second_look();
        self.other_space = other.map(|other| self.protocol.config_space(&other));
    }

    /// Has the configuration change before the next look, if it does that.
    fn next_look(&mut self) {
        if let Some(other) = &mut self.other_space {
            std::mem::swap(other, &mut self.space);
        }
    }

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
        let count = self.config.num_gpios();
        self.lines.restart(count.min(self.config.lines));
    }

    fn stop(&mut self) {
        let queue = self.protocol.command_queue();
        let dropped = self.outbox.clear();
        let dropped = dropped.iter().filter(|parcel| parcel.queue == queue);
        self.stats.dropped += u64::try_from(dropped.count()).unwrap_or_default();
        self.protocol.stop(&mut self.stats);
        for ring in &mut self.rings {
            ring.forget();
        }
        if std::mem::take(&mut self.running) {
            self.stats.resets += 1;
        }
    }

    /// When there is something to do next.
    fn deadline(&self) -> Option<Instant> {
        self.outbox
            .deadline()
            .into_iter()
            .chain(self.bursts.deadline())
            .min()
    }

    /// Toggles the lines that are due.
    fn toggle(&mut self, now: Instant) {
        for _ in 0..PORTION {
            let Some(line) = self.bursts.next(now) else {
                return;
            };
            match self.lines.get(line) {
                Some(state) => self.drive(line, opposite(state.outside)),
                None => self.bursts.end(line),
            }
        }
    }

    /// Interrupts the driver if there is something new for it in a queue.
    fn signal(&mut self, queue: usize) {
        let loud = self.faults.is_loud();
        let ring = self.rings.get_mut(queue);

        if ring.is_some_and(|ring| ring.signal(loud)) {
            self.stats.interrupts += 1;
        }
    }

    /// Takes commands, and tells whether there are more.
    fn run_commands(&mut self) -> bool {
        let queue = self.protocol.command_queue();
        self.silence(queue);
        self.take(queue, Self::command);
        self.signal(queue);
        self.more(queue)
    }

    /// Takes buffers for events, sends what is owed, and tells whether there are more.
    fn run_events(&mut self) -> bool {
        let queue = self.protocol.event_queue();
        self.silence(queue);
        self.send_events();
        self.more(queue)
    }

    /// Asks for no notifications, while we are looking anyway, until [`more`](Self::more) is asked.
    fn silence(&mut self, queue: usize) {
        if let Some(ring) = self.rings.get_mut(queue) {
            ring.disable_notification();
        }
    }

    /// Takes a batch of chains from a queue.
    fn take(&mut self, queue: usize, each: fn(&mut Self, Chain)) {
        for _ in 0..BATCH {
            match self.rings.get_mut(queue).map(Ring::pop) {
                Some(Next::Chain(chain)) => each(self, chain),
                Some(Next::Violation(violation)) => {
                    self.stats.violation(violation);
                    if violation == Violation::AvailIndex {
                        return;
                    }
                }
                Some(Next::Nothing) | None => return,
            }
        }
    }

    /// Asks for notifications again, and tells whether there is something new already.
    fn more(&mut self, queue: usize) -> bool {
        let ring = self.rings.get_mut(queue);
        ring.is_some_and(Ring::enable_notification)
    }

    /// Runs one command.
    fn command(&mut self, chain: Chain) {
        self.stats.requests += 1;
        if self.protocol.orders_buffers() {
            // Those that were there before it.
            self.send_events();
        }

        let plan = self.faults.plan();
        if plan.crash {
            die();
        }
        let mut driven = Vec::new();
        let bench = Bench {
            lines: &mut self.lines,
            config: &self.config,
            stats: &mut self.stats,
            faults: &self.faults,
            driven: &mut driven,
        };
        let mut answer = self.protocol.execute(&chain, plan.refusal(), bench);

        // What the command has brought about is told before that it was carried out.
        for Drive {
            line,
            level,
            changed,
        } in driven
        {
            if changed {
                self.watchers.changed(line, level);
            }
            // The other end may have had another level meanwhile.
            self.carry(line, level);
        }
        if self.protocol.may_report() {
            self.send_events();
        }

        let mut back = answer.buffer.take();
        let stray = back.is_some() && self.faults.stray_back();
        if let (true, Some(back)) = (stray, &mut back) {
            back.bytes = self.protocol.event(answer.line, Level::High);
        }
        let claim = match plan.mutation {
            Some(mutation) => self.protocol.spoil(&mut answer, mutation),
            None => size(&answer.bytes),
        };
        if plan.hides_result() {
            self.protocol.hidden(answer.news);
        }
        let reply = Parcel {
            queue: self.protocol.command_queue(),
            chain,
            bytes: answer.bytes,
            claim,
            // By one that is spoilt it gets to know nothing.
            news: match plan.swallow || !plan.hides_result() {
                true => answer.news,
                false => News::Nothing,
            },
            breakage: plan.breakage,
            wrong: match plan.mutation.is_some() || plan.breakage.is_some() {
                true => Wrong::Hostile,
                false => Wrong::Nothing,
            },
        };
        let Some(back) = back else {
            self.send_off(reply, answer.line, &plan);
            return;
        };
        let buffer = Parcel {
            queue: self.protocol.event_queue(),
            chain: back.chain,
            claim: size(&back.bytes),
            bytes: back.bytes,
            news: back.news,
            breakage: None,
            wrong: match stray {
                true => Wrong::Stray,
                false => Wrong::Nothing,
            },
        };
        self.send_off_both(reply, buffer, back.when, answer.line, &plan);
    }

    /// Has an answer about a line find its way back, and a buffer that goes back with it.
    fn send_off_both(&mut self, reply: Parcel, buffer: Parcel, when: When, line: u16, plan: &Plan) {
        match when {
            When::Before => {
                self.deliver(buffer);
                self.send_off(reply, line, plan);
            }
            // As it is about the same line, it stays behind.
            When::After => {
                self.send_off(reply, line, plan);
                self.send_off(buffer, line, plan);
            }
            When::Late(delay) => {
                self.outbox.delay(buffer, None, Instant::now() + delay);
                self.send_off(reply, line, plan);
            }
        }
    }

    /// Has an answer about a line find its way back.
    ///
    /// One that is swallowed holds up no others.
    fn send_off(&mut self, parcel: Parcel, line: u16, plan: &Plan) {
        let now = Instant::now();
        let key = self.protocol.keeps_order().then_some(line);
        let is_held_up = key.is_some_and(|key| self.outbox.delayed_until(key).is_some());
        let is_shuffling = key.is_some_and(|key| self.outbox.is_shuffling(key));

        if plan.swallow {
            self.outbox.swallow(parcel);
        } else if plan.delay.is_some() || is_held_up {
            let delay = plan.delay.unwrap_or_default();
            self.outbox.delay(parcel, key, now + delay);
        } else if plan.shuffle || is_shuffling {
            self.parcels = self.parcels.wrapping_add(1);
            let key = key.unwrap_or(self.parcels);
            for parcel in self.outbox.shuffle(parcel, key, now) {
                self.deliver(parcel);
            }
        } else {
            self.deliver(parcel);
        }
    }

    /// Gives a chain back to the driver.
    fn deliver(&mut self, parcel: Parcel) {
        if matches!(parcel.news, News::Interrupt { .. }) && self.protocol.orders_buffers() {
            // Those that were there before the driver can know.
            self.send_events();
        }
        let is_buffer = parcel.queue == self.protocol.event_queue();
        if is_buffer {
            // What went back before it is to be seen before it.
            let queue = self.protocol.command_queue();
            self.signal(queue);
        }
        let Some(ring) = self.rings.get_mut(parcel.queue) else {
            return;
        };
        let result =
            ring.complete_broken(&parcel.chain, &parcel.bytes, parcel.claim, parcel.breakage);

        if result == Ok(true) {
            match parcel.wrong {
                Wrong::Nothing => {}
                Wrong::Hostile => self.stats.hostile_replies += 1,
                Wrong::Stray => self.stats.stray_events += 1,
            }
        }
        if is_buffer {
            self.signal(parcel.queue);
        } else {
            match result {
                Ok(true) => self.stats.replies += 1,
                Ok(false) => self.stats.dropped += 1,
                Err(_) => {}
            }
        }
        match result {
            Ok(true) => self.protocol.delivered(parcel.news),
            Ok(false) => {}
            Err(violation) => self.stats.violation(violation),
        }
    }
}

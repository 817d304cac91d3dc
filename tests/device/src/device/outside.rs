// SPDX-License-Identifier: GPL-2.0

//! What the control channel can do.

use std::{
    num::NonZeroU32,
    time::Instant, //
};

use gpio_virtio_logic::line::Level;
use thiserror::Error;

use super::Device;
use crate::{
    config::{
        ConfigError,
        Configuration, //
    },
    faults::{
        Fault,
        FaultError, //
    },
    irq::IrqType,
    lines::Line,
    ring::Ring,
    watch::Watcher,
    wires::Wire, //
};

/// Why something cannot be done with a line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum LineError {
    /// It does not exist.
    #[error("there is no line {0}, only {1}")]
    Absent(u16, u16),
    /// It is being toggled already.
    #[error("line {0} has a burst already")]
    Burst(u16),
    /// It is both ends of a wire.
    #[error("line {0} cannot be wired to itself")]
    Itself(u16),
    /// No wire starts there.
    #[error("line {0} has no wire")]
    NoWire(u16),
}

impl Device {
    /// The number of lines.
    pub fn line_count(&self) -> u16 {
        self.lock().lines.count()
    }

    /// A line, and its name.
    pub fn line(&self, line: u16) -> Result<(Line, String), LineError> {
        let core = self.lock();
        let state = core.line(line)?;
        let name = core.config.names.get(&line).cloned().unwrap_or_default();
        Ok((state, name))
    }

    /// Drives a line from outside.
    pub fn drive(&self, line: u16, level: Level) -> Result<(), LineError> {
        let mut core = self.lock();
        core.line(line)?;
        core.drive(line, level);
        Ok(())
    }

    /// Starts to toggle a line from outside: so often, and so many times a second or as fast as it
    /// goes.
    pub fn burst(
        &self,
        line: u16,
        count: NonZeroU32,
        rate: Option<NonZeroU32>,
    ) -> Result<(), LineError> {
        let mut core = self.lock();
        core.line(line)?;
        if !core.bursts.start(line, count, rate, Instant::now()) {
            return Err(LineError::Burst(line));
        }
        self.rearm(&core);
        Ok(())
    }

    /// What a line is armed for, if the driver can say that.
    pub fn armed(&self, line: u16) -> Result<Option<IrqType>, LineError> {
        let core = self.lock();
        core.line(line)?;
        Ok(core.protocol.armed(line))
    }

    /// Wires a line to another one, in place of what it was wired to.
    pub fn wire(&self, from: u16, wire: Wire) -> Result<(), LineError> {
        let mut core = self.lock();
        let state = core.line(from)?;
        core.line(wire.to)?;
        if from == wire.to {
            return Err(LineError::Itself(from));
        }
        core.wires.add(from, wire);
        if state.is_output() {
            core.carry(from, state.output);
        }
        Ok(())
    }

    /// Takes the wire away that starts at a line. What came in by it stays.
    pub fn unwire(&self, from: u16) -> Result<(), LineError> {
        let mut core = self.lock();
        core.line(from)?;
        match core.wires.remove(from) {
            true => Ok(()),
            false => Err(LineError::NoWire(from)),
        }
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
        core.config = config;
        core.lay_out();
        if !core.running {
            core.remake_lines();
        }
        Ok(core.space.len())
    }

    /// Puts a fault in force, if there can be such a one.
    pub fn fault(&self, fault: Fault) -> Result<(), FaultError> {
        let mut core = self.lock();
        if let Fault::Spoil(mutation, _) = fault {
            core.protocol.check_mutation(mutation)?;
        }
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
            Fault::Storm(_) if core.running => core.send_events(),
            _ => {}
        }
        Ok(())
    }

    /// All counters.
    pub fn stats(&self) -> String {
        let core = self.lock();
        let queue = core.protocol.command_queue();
        format!(
            "{} in-flight={} owed={} bursts={}",
            core.stats,
            core.rings.get(queue).map_or(0, Ring::in_flight),
            core.protocol.owed(),
            core.bursts.len(),
        )
    }

    /// Sets all counters to zero. Only changes that are owed count on: their events are still to
    /// come.
    pub fn reset_stats(&self) {
        let mut core = self.lock();
        let owed = core.protocol.owed();
        core.stats.restart(owed);
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

// SPDX-License-Identifier: GPL-2.0

//! A device: lines that change, what it was told about them, and reports that were not read yet.

use std::collections::VecDeque;

use gpio_virtio_logic::{
    line_irqs::Reporting,
    standard::IrqStatus,
    trigger::Trigger, //
};

/// So many buffers for reports the device has.
const BUFFERS: usize = 3;

/// Changes of a line that a report stands for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Edges {
    pub(super) rising: bool,
    pub(super) falling: bool,
}

impl Edges {
    pub(super) fn are_merged(self) -> bool {
        self.rising && self.falling
    }

    /// Whether one of them makes a trigger fire.
    pub(super) fn fire(self, trigger: Trigger) -> bool {
        (self.rising && trigger.fires_on_edge_to(true))
            || (self.falling && trigger.fires_on_edge_to(false))
    }
}

/// What a report says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said {
    /// The level of a line; and not to the driver: why. `None` if there is no reason.
    Level { high: bool, edges: Option<Edges> },
    /// What a returned buffer says.
    Status(Option<IrqStatus>),
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    high: bool,
    /// What it was told to report.
    armed: Trigger,
    has_buffer: bool,
    /// It owes the buffer, as it was told to report nothing.
    owes_buffer: bool,
    latched: bool,
    /// What has yet to be reported, as there was no buffer.
    owed: Option<Edges>,
}

#[derive(Debug)]
pub(super) struct Device {
    reporting: Reporting,
    /// It need not have done what it was told.
    is_hostile: bool,
    lines: Vec<Line>,
    reports: VecDeque<(u16, Said)>,
}

impl Device {
    pub(super) fn new(reporting: Reporting, is_hostile: bool, lines: u16) -> Self {
        Self {
            reporting,
            is_hostile,
            lines: vec![Line::default(); usize::from(lines)],
            reports: VecDeque::new(),
        }
    }

    fn line(&mut self, line: u16) -> &mut Line {
        &mut self.lines[usize::from(line)]
    }

    pub(super) fn is_high(&self, line: u16) -> bool {
        self.lines[usize::from(line)].high
    }

    pub(super) fn armed(&self, line: u16) -> Trigger {
        self.lines[usize::from(line)].armed
    }

    /// Whether it has nothing to do but to wait for the line to change.
    pub(super) fn waits(&self, line: u16) -> bool {
        let Line {
            has_buffer,
            owes_buffer,
            latched,
            ..
        } = self.lines[usize::from(line)];
        has_buffer && !owes_buffer && !latched
    }

    pub(super) fn toggle(&mut self, line: u16) {
        let reporting = self.reporting;
        let state = self.line(line);
        state.high = !state.high;
        let high = state.high;
        let armed = state.armed;
        let fires = armed.fires_on_edge_to(high);
        let edges = Edges {
            rising: high,
            falling: !high,
        };

        match reporting {
            Reporting::Changes => self.owe(line, edges),
            Reporting::Selected if fires || armed.active_level() == Some(high) => {
                self.owe(line, edges);
            }
            Reporting::Selected => (),
            Reporting::Buffers => {
                state.latched |= fires;
                self.use_buffer(line);
            }
        }
    }

    /// Reports a level as soon as there is a buffer.
    fn owe(&mut self, line: u16, edges: Edges) {
        let owed = self.line(line).owed.get_or_insert_default();
        owed.rising |= edges.rising;
        owed.falling |= edges.falling;
        self.pay();
    }

    fn pay(&mut self) {
        for (number, line) in (0..).zip(&mut self.lines) {
            if self.reports.len() >= BUFFERS {
                return;
            }
            if let Some(edges) = line.owed.take() {
                let high = line.high;
                let edges = Some(edges);
                self.reports
                    .push_back((number, Said::Level { high, edges }));
            }
        }
    }

    /// Reports that the line has fired, if it has, and if the device may.
    fn use_buffer(&mut self, line: u16) {
        let state = self.line(line);
        let is_active = state.armed.active_level() == Some(state.high);

        if state.armed != Trigger::None
            && state.has_buffer
            && !state.owes_buffer
            && (state.latched || is_active)
        {
            state.latched = false;
            state.has_buffer = false;
            self.reports
                .push_back((line, Said::Status(Some(IrqStatus::Valid))));
        }
    }

    /// It is told what to report.
    pub(super) fn is_told(&mut self, line: u16, trigger: Trigger) {
        let Self {
            reporting,
            is_hostile,
            ..
        } = *self;
        let state = self.line(line);
        assert!(
            trigger == Trigger::None || state.armed == Trigger::None || is_hostile,
            "told without being told to stop first"
        );
        state.armed = trigger;
        if trigger == Trigger::None {
            state.latched = false;
            state.owed = None;
            state.owes_buffer = state.has_buffer;
        } else if reporting == Reporting::Selected && trigger.active_level() == Some(state.high) {
            self.owe(line, Edges::default());
        }
    }

    pub(super) fn lend(&mut self, line: u16) {
        let state = self.line(line);
        assert!(!state.has_buffer, "two buffers of a line");
        assert_ne!(
            state.armed,
            Trigger::None,
            "a buffer of a line that is not enabled"
        );
        state.has_buffer = true;
        self.use_buffer(line);
    }

    pub(super) fn return_owed(&mut self, line: u16) {
        let state = self.line(line);
        if std::mem::take(&mut state.owes_buffer) {
            state.has_buffer = false;
            self.reports
                .push_back((line, Said::Status(Some(IrqStatus::Invalid))));
        }
    }

    /// It is reset: nothing but the levels is left.
    pub(super) fn reset(&mut self) {
        self.reports.clear();
        for line in &mut self.lines {
            *line = Line {
                high: line.high,
                ..Line::default()
            };
        }
    }

    /// It does something for which there is no reason, if the transport lets it.
    pub(super) fn misbehave(&mut self, line: u16, how: u8) {
        let said = match self.reporting {
            Reporting::Buffers => {
                let state = self.line(line);
                if !std::mem::take(&mut state.has_buffer) {
                    return;
                }
                state.owes_buffer = false;
                Said::Status(match how % 3 {
                    0 => None,
                    1 => Some(IrqStatus::Invalid),
                    _ => Some(IrqStatus::Valid),
                })
            }
            Reporting::Changes | Reporting::Selected if self.reports.len() < BUFFERS => {
                Said::Level {
                    high: how % 2 == 0,
                    edges: None,
                }
            }
            Reporting::Changes | Reporting::Selected => return,
        };
        self.reports.push_back((line, said));
    }

    pub(super) fn report_count(&self) -> usize {
        self.reports.len()
    }

    /// The driver reads a report, and gives the buffer back if it is one for any line.
    pub(super) fn read(&mut self) -> Option<(u16, Said)> {
        let report = self.reports.pop_front();
        self.pay();
        report
    }
}

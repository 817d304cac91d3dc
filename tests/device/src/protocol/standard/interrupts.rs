// SPDX-License-Identifier: GPL-2.0

//! The interrupts of the lines: which are enabled, which are unmasked, and what is latched.
//!
//! An interrupt is enabled by its type, and unmasked by a buffer, of which there is one for each
//! line. An event takes the buffer, so it masks the interrupt until the driver has queued that
//! again. What happens meanwhile to a line that is enabled is latched if it is an edge; a level is
//! looked at when the buffer is there again.
//!
//! The counters keep the same balance as those of the other protocol's [events](crate::events):
//! each change that has to be reported was sent, was merged into another in the latch, or is
//! latched. A level counts when it is reported.
//!
//! What the driver may do depends on what it knows, which is what the answers have told it that it
//! has got.

use std::collections::BTreeMap;

use gpio_virtio_logic::line::Level;

use crate::{
    irq::IrqType,
    owed::Owed,
    protocol::News,
    ring::Chain,
    stats::Stats,
    violation::Violation, //
};

/// What the driver knows about a line's interrupt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Known {
    /// That it is disabled.
    #[default]
    Disabled,
    /// That it is enabled.
    Enabled,
    /// It cannot know: an answer was hidden from it, or it was not able to disable it.
    Unsure,
}

/// The interrupt of a line.
#[derive(Debug, Default)]
struct Interrupt {
    irq_type: IrqType,
    known: Known,
    /// How many times the type was set.
    turn: u32,
    buffer: Option<Chain>,
    /// How many buffers are on their way back.
    leaving: u32,
    /// A malformed event has come before the one that is to come.
    forged: bool,
}

/// The interrupts of all lines.
#[derive(Debug, Default)]
pub struct Interrupts {
    lines: BTreeMap<u16, Interrupt>,
    /// Lines with an edge that is latched.
    edges: Owed,
    /// Lines whose level may have to be reported.
    levels: Owed,
    /// The buffers that there are may be for a device that was here before.
    are_inherited: bool,
}

impl Interrupts {
    /// Disables all of them, and forgets what is latched: there is nobody to be told any more.
    pub fn stop(&mut self, stats: &mut Stats) {
        for _ in 0..self.edges.len() {
            stats.forget_change();
        }
        let enabled = self.lines.values().filter(|line| line.is_enabled());
        stats.left_armed += u64::try_from(enabled.count()).unwrap_or_default();
        *self = Self::default();
    }

    /// The driver has had another device, and does not know yet that this one is new.
    pub fn inherit(&mut self) {
        self.are_inherited = true;
    }

    /// The type of a line's interrupt.
    pub fn armed(&self, line: u16) -> IrqType {
        self.lines
            .get(&line)
            .map(|line| line.irq_type)
            .unwrap_or_default()
    }

    /// Whether the driver cannot know the type of a line's interrupt.
    pub fn is_unsure(&self, line: u16) -> bool {
        let state = self.lines.get(&line);
        state.is_some_and(|state| state.known == Known::Unsure)
    }

    /// Sets the type of a line's interrupt. Returns what the driver knows by the answer, and the
    /// line's buffer if it has to go back.
    pub fn set_type(
        &mut self,
        line: u16,
        irq_type: IrqType,
        stats: &mut Stats,
    ) -> (News, Option<Chain>) {
        let state = self.lines.entry(line).or_default();
        if irq_type == state.irq_type {
            stats.none_again += u64::from(irq_type == IrqType::None);
        } else if state.is_enabled() && irq_type != IrqType::None && state.known == Known::Enabled {
            stats.violation(Violation::IrqChange);
        }
        let changes = std::mem::replace(&mut state.irq_type, irq_type) != irq_type;

        let mut buffer = None;
        if irq_type == IrqType::None {
            buffer = state.buffer.take();
            state.leaving += u32::from(buffer.is_some());
            state.forged = false;
        }
        state.turn = state.turn.wrapping_add(1);
        let news = News::Interrupt {
            line,
            enabled: irq_type != IrqType::None,
            turn: state.turn,
        };

        if changes {
            self.levels.remove(line);
            if self.edges.remove(line) {
                stats.forget_change();
            }
            self.look_at_level(line);
        }
        (news, buffer)
    }

    /// A line is given back. Returns what [`set_type`](Self::set_type) does.
    pub fn release(&mut self, line: u16, stats: &mut Stats) -> (News, Option<Chain>) {
        match self.lines.get(&line) {
            Some(state) if state.is_enabled() => {
                if state.known == Known::Enabled {
                    stats.violation(Violation::IrqLeft);
                }
                self.set_type(line, IrqType::None, stats)
            }
            _ => (News::Nothing, None),
        }
    }

    /// The driver was told that it cannot have this type.
    pub fn refused(&mut self, line: u16, irq_type: IrqType) {
        if irq_type == IrqType::None {
            // What else is it to do?
            self.lines.entry(line).or_default().known = Known::Unsure;
        }
    }

    /// The driver has got an answer, or a buffer.
    pub fn delivered(&mut self, news: News) {
        match news {
            News::Nothing | News::Direction { .. } => {}
            News::Interrupt {
                line,
                enabled,
                turn,
            } => {
                if let Some(state) = self.of_turn(line, turn) {
                    state.known = match enabled {
                        true => Known::Enabled,
                        false => Known::Disabled,
                    };
                }
            }
            News::Buffer(line) => {
                if let Some(state) = self.lines.get_mut(&line) {
                    state.leaving = state.leaving.saturating_sub(1);
                }
            }
        }
    }

    /// The driver does not get an answer, or not soon.
    pub fn hidden(&mut self, news: News) {
        if let News::Interrupt { line, turn, .. } = news {
            if let Some(state) = self.of_turn(line, turn) {
                state.known = Known::Unsure;
            }
        }
    }

    /// A line, if its type was not set again after this time.
    fn of_turn(&mut self, line: u16, turn: u32) -> Option<&mut Interrupt> {
        let state = self.lines.get_mut(&line)?;
        (state.turn == turn).then_some(state)
    }

    /// Takes the buffer of a line, or gives it back if it cannot be used.
    pub fn unmask(&mut self, line: u16, buffer: Chain, stats: &mut Stats) -> Option<Chain> {
        let state = self.lines.entry(line).or_default();
        if state.buffer.is_some() || state.leaving > 0 {
            stats.violation(Violation::BufferTwice);
            return Some(buffer);
        }
        if state.known == Known::Disabled && !self.are_inherited {
            stats.violation(Violation::BufferDisabled);
        }
        if !state.is_enabled() {
            return Some(buffer);
        }
        state.buffer = Some(buffer);
        self.look_at_level(line);
        None
    }

    /// The buffer of a line.
    pub fn buffer(&self, line: u16) -> Option<&Chain> {
        self.lines.get(&line)?.buffer.as_ref()
    }

    /// The buffer of a line is the driver's again.
    pub fn mask(&mut self, line: u16) {
        if let Some(state) = self.lines.get_mut(&line) {
            state.buffer = None;
        }
    }

    /// The first line from this one on that has a buffer; after the last one comes the first.
    pub fn unmasked_from(&self, line: u16) -> Option<u16> {
        let mut lines = self.lines.range(line..).chain(self.lines.range(..line));
        lines
            .find(|(_, state)| state.buffer.is_some())
            .map(|(&line, _)| line)
    }

    /// Whether no malformed event has come yet before the one that is to come.
    pub fn can_forge(&self, line: u16) -> bool {
        self.lines.get(&line).is_some_and(|state| !state.forged)
    }

    /// One has.
    pub fn forged(&mut self, line: u16) {
        if let Some(state) = self.lines.get_mut(&line) {
            state.forged = true;
        }
        // It has taken the buffer.
        self.levels.remove(line);
    }

    /// A line has a new level, and the driver has not set it.
    pub fn note(&mut self, line: u16, level: Level, stats: &mut Stats) {
        let irq_type = self.armed(line);
        if irq_type.is_level() {
            self.look_at_level(line);
        } else if irq_type.wants(level) {
            stats.changes += 1;
            if self.edges.note(line) {
                stats.merged += 1;
            }
        }
    }

    /// The level of a line may have to be reported.
    fn look_at_level(&mut self, line: u16) {
        let state = self.lines.get(&line);
        if state.is_some_and(|state| state.irq_type.is_level() && state.buffer.is_some()) {
            self.levels.note(line);
        }
    }

    /// Whether there may be something to report if there is a buffer for it.
    pub fn may_report(&self) -> bool {
        !self.edges.is_empty() || !self.levels.is_empty()
    }

    /// The line that is next to be reported; levels are found out by the function.
    pub fn next(&mut self, level: impl Fn(u16) -> Option<Level>) -> Option<u16> {
        let edge = self.edges.iter().find(|&line| self.buffer(line).is_some());
        if edge.is_some() {
            return edge;
        }
        while let Some(line) = self.levels.first() {
            let irq_type = self.armed(line);
            let is_active = level(line).is_some_and(|level| irq_type.is_active(level));
            if is_active && self.buffer(line).is_some() {
                return Some(line);
            }
            self.levels.remove(line);
        }
        None
    }

    /// A line was reported.
    pub fn sent(&mut self, line: u16, stats: &mut Stats) {
        if !self.edges.remove(line) {
            self.levels.remove(line);
            stats.changes += 1;
        }
        if let Some(state) = self.lines.get_mut(&line) {
            state.forged = false;
        }
    }

    /// There is no buffer for those that are left: returns how many wait from now on.
    pub fn hold(&mut self) -> usize {
        self.edges.hold()
    }

    /// How many lines have an edge that is latched.
    pub fn latched(&self) -> usize {
        self.edges.len()
    }
}

impl Interrupt {
    fn is_enabled(&self) -> bool {
        self.irq_type != IrqType::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::opposite;
    use proptest::prelude::*;
    use Level::{
        High,
        Low, //
    };

    fn buffer() -> Chain {
        Chain::new(0)
    }

    /// Sets a type, and has the driver know of it.
    fn set(interrupts: &mut Interrupts, line: u16, irq_type: IrqType, stats: &mut Stats) -> bool {
        let (news, buffer) = interrupts.set_type(line, irq_type, stats);
        interrupts.delivered(news);
        if buffer.is_some() {
            interrupts.delivered(News::Buffer(line));
        }
        buffer.is_some()
    }

    fn next(interrupts: &mut Interrupts, level: Level) -> Option<u16> {
        interrupts.next(|_| Some(level))
    }

    fn send(interrupts: &mut Interrupts, line: u16, stats: &mut Stats) {
        interrupts.mask(line);
        interrupts.sent(line, stats);
        stats.events += 1;
    }

    #[test]
    fn an_edge_waits_for_its_buffer_and_a_level_does_not() {
        let mut stats = Stats::default();
        for (line, irq_type) in [(1, IrqType::Rising), (2, IrqType::High)] {
            let mut interrupts = Interrupts::default();
            set(&mut interrupts, line, irq_type, &mut stats);
            interrupts.note(line, High, &mut stats);
            assert_eq!(next(&mut interrupts, High), None);
            interrupts.note(line, Low, &mut stats);
            assert!(interrupts.unmask(line, buffer(), &mut stats).is_none());
            let expected = (line == 1).then_some(line);
            assert_eq!(next(&mut interrupts, Low), expected, "{irq_type:?}");
        }
        assert_eq!((stats.changes, stats.violations()), (1, 0));
    }

    #[test]
    fn a_level_is_counted_when_it_is_reported() {
        let mut stats = Stats::default();
        let mut interrupts = Interrupts::default();
        set(&mut interrupts, 1, IrqType::Low, &mut stats);
        for round in 1..4 {
            interrupts.unmask(1, buffer(), &mut stats);
            assert!(interrupts.may_report());
            assert_eq!(next(&mut interrupts, Low), Some(1));
            send(&mut interrupts, 1, &mut stats);
            assert_eq!(next(&mut interrupts, Low), None);
            assert_eq!((stats.changes, stats.events), (round, round));
        }
        interrupts.unmask(1, buffer(), &mut stats);
        assert_eq!(next(&mut interrupts, High), None);
        assert!(!interrupts.may_report());
        interrupts.note(1, Low, &mut stats);
        assert_eq!(next(&mut interrupts, Low), Some(1));
    }

    #[test]
    fn an_answer_that_is_not_the_last_says_nothing() {
        let mut stats = Stats::default();
        let mut interrupts = Interrupts::default();
        let (first, _) = interrupts.set_type(1, IrqType::Rising, &mut stats);
        let (second, _) = interrupts.set_type(1, IrqType::None, &mut stats);
        interrupts.delivered(second);
        interrupts.delivered(first);
        assert!(interrupts.unmask(1, buffer(), &mut stats).is_some());
        assert_eq!(stats.count(Violation::BufferDisabled), 1);
    }

    #[test]
    fn buffers_of_another_device_are_nobodys_fault() {
        let mut stats = Stats::default();
        let mut interrupts = Interrupts::default();
        interrupts.inherit();
        assert!(interrupts.unmask(1, buffer(), &mut stats).is_some());
        assert_eq!(stats.count(Violation::BufferDisabled), 0);
        interrupts.stop(&mut stats);
        assert!(interrupts.unmask(1, buffer(), &mut stats).is_some());
        assert_eq!(stats.count(Violation::BufferDisabled), 1);
    }

    #[test]
    fn who_does_not_know_is_not_blamed() {
        let mut stats = Stats::default();
        let mut interrupts = Interrupts::default();
        let (news, _) = interrupts.set_type(1, IrqType::Rising, &mut stats);
        interrupts.hidden(news);
        assert!(interrupts.unmask(1, buffer(), &mut stats).is_none());
        interrupts.set_type(1, IrqType::Both, &mut stats);
        interrupts.release(1, &mut stats);
        assert_eq!(stats.violations(), 0);
    }

    #[test]
    fn lines_with_buffers_are_found_in_a_circle() {
        let mut stats = Stats::default();
        let mut interrupts = Interrupts::default();
        assert_eq!(interrupts.unmasked_from(0), None);
        for line in [2, 5] {
            set(&mut interrupts, line, IrqType::Both, &mut stats);
            interrupts.unmask(line, buffer(), &mut stats);
        }
        let found = [0, 2, 3, 5, 6, u16::MAX].map(|line| interrupts.unmasked_from(line));
        assert_eq!(found, [2, 2, 5, 5, 2, 2].map(Some));
        interrupts.mask(2);
        assert_eq!(interrupts.unmasked_from(0), Some(5));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Toggle(u16),
        SetType(u16, u32),
        Unmask(u16),
        Release(u16),
        Send,
        Hold,
        Stop,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let line = || 0u16..4;
        let irq_type = prop::sample::select(&[0u32, 1, 2, 3, 4, 8][..]);
        let step = prop_oneof![
            8 => line().prop_map(Step::Toggle),
            4 => (line(), irq_type).prop_map(|(line, value)| Step::SetType(line, value)),
            6 => line().prop_map(Step::Unmask),
            1 => line().prop_map(Step::Release),
            8 => Just(Step::Send),
            2 => Just(Step::Hold),
            1 => Just(Step::Stop),
        ];
        prop::collection::vec(step, 0..100)
    }

    /// What the standard says of one line.
    #[derive(Clone, Copy, Debug, Default)]
    struct Model {
        irq_type: IrqType,
        unmasked: bool,
        latched: bool,
    }

    impl Model {
        fn set(&mut self, irq_type: IrqType) {
            if irq_type == IrqType::None {
                self.unmasked = false;
            }
            self.latched &= irq_type == self.irq_type;
            self.irq_type = irq_type;
        }

        fn is_due(&self, level: Level) -> bool {
            self.unmasked && (self.latched || self.irq_type.is_active(level))
        }
    }

    proptest! {
        #[test]
        fn interrupts_do_what_the_standard_says(steps in steps()) {
            let mut stats = Stats::default();
            let mut interrupts = Interrupts::default();
            let mut levels = [Low; 4];
            let mut models = [Model::default(); 4];
            let mut violations = 0;

            for step in steps {
                match step {
                    Step::Toggle(line) => {
                        let level = &mut levels[usize::from(line)];
                        *level = opposite(*level);
                        let model = &mut models[usize::from(line)];
                        model.latched |= !model.irq_type.is_level() && model.irq_type.wants(*level);
                        interrupts.note(line, *level, &mut stats);
                    }
                    Step::SetType(line, value) => {
                        let irq_type = IrqType::from_wire(value).unwrap();
                        let model = &mut models[usize::from(line)];
                        let is_change = irq_type != model.irq_type;
                        let is_jump = ![irq_type, model.irq_type].contains(&IrqType::None);
                        violations += u64::from(is_change && is_jump);
                        let back = irq_type == IrqType::None && model.unmasked;
                        model.set(irq_type);
                        prop_assert_eq!(set(&mut interrupts, line, irq_type, &mut stats), back);
                    }
                    Step::Unmask(line) => {
                        let model = &mut models[usize::from(line)];
                        let is_good = model.irq_type != IrqType::None && !model.unmasked;
                        model.unmasked |= is_good;
                        violations += u64::from(!is_good);
                        let back = interrupts.unmask(line, buffer(), &mut stats);
                        prop_assert_eq!(back.is_none(), is_good);
                    }
                    Step::Release(line) => {
                        let model = &mut models[usize::from(line)];
                        violations += u64::from(model.irq_type != IrqType::None);
                        let back = model.unmasked;
                        model.set(IrqType::None);
                        let (news, buffer) = interrupts.release(line, &mut stats);
                        interrupts.delivered(news);
                        interrupts.delivered(News::Buffer(line));
                        prop_assert_eq!(buffer.is_some(), back);
                    }
                    Step::Send => {
                        let due = |line: u16| models[usize::from(line)].is_due(levels[usize::from(line)]);
                        let next = interrupts.next(|line| levels.get(usize::from(line)).copied());
                        prop_assert_eq!(next.is_some(), (0..4).any(due));
                        if let Some(line) = next {
                            prop_assert!(due(line));
                            send(&mut interrupts, line, &mut stats);
                            let model = &mut models[usize::from(line)];
                            model.unmasked = false;
                            model.latched = false;
                        }
                    }
                    Step::Hold => prop_assert!(interrupts.hold() <= interrupts.latched()),
                    Step::Stop => {
                        interrupts.stop(&mut stats);
                        models = Default::default();
                    }
                }
                let latched = models.iter().filter(|model| model.latched).count();
                prop_assert_eq!(interrupts.latched(), latched);
                let owed = u64::try_from(latched).unwrap();
                prop_assert_eq!(stats.changes, stats.events + stats.merged + owed);
                prop_assert_eq!(stats.violations(), violations);
            }
        }
    }
}

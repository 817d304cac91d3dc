// SPDX-License-Identifier: GPL-2.0

//! Interrupts of lines whose device is reset while a consumer waits: what changed meanwhile fires once,
//! if it can be known.

use gpio_virtio_logic::{
    line::Level::{
        self,
        High,
        Low, //
    },
    line_irqs::{
        LineIrq,
        LineIrqs,
        Reporting,
        Returned,
        Unsure, //
    },
    standard::IrqStatus::Valid,
    trigger::Trigger, //
};
use proptest::prelude::*;

type Irqs = LineIrqs<Vec<LineIrq>>;

const LINE: u16 = 1;

/// Tells the device what the consumer wants, if it has to be told.
fn tell(irqs: &mut Irqs) {
    if let Some(trigger) = irqs.change(LINE) {
        let life = irqs.is_being_told(LINE);
        irqs.was_told(LINE, trigger, life);
    }
}

/// Interrupts of which that of `LINE` is on, with a device that knows it.
fn listening(reporting: Reporting, trigger: Trigger) -> Irqs {
    let mut irqs = LineIrqs::new(vec![LineIrq::default(); 3], reporting);
    assert_eq!(irqs.set_trigger(LINE, trigger), Ok(false));
    irqs.enable(LINE);
    tell(&mut irqs);
    if reporting == Reporting::Buffers {
        assert_eq!(irqs.next_buffer(), Some(LINE));
    }
    irqs
}

/// The device is asked for the level before it is reset.
fn note(irqs: &mut Irqs, level: Level) {
    let epoch = irqs.is_to_be_noted(LINE);
    assert!(epoch.is_some(), "it fires on edges");
    irqs.learn(LINE, epoch.unwrap_or_default(), Some(level));
}

fn reset(irqs: &mut Irqs) {
    irqs.begin_life();
    (0..3).for_each(|line| irqs.forget(line));
}

/// What is done about the line when the device works again; it says that it has `level`. Returns how often
/// the line fires by that.
fn restart(irqs: &mut Irqs, level: Level) -> usize {
    while let Some(line) = irqs.next_sync() {
        assert_eq!(line, LINE);
        tell(irqs);
        if let Unsure::Level(epoch) = irqs.next_unsure(line) {
            irqs.compared(line, epoch, Some(level));
        }
    }
    fire(irqs)
}

fn fire(irqs: &mut Irqs) -> usize {
    let mut count = 0;
    while let Some(line) = irqs.next_latched() {
        assert_eq!(line, LINE);
        count += 1;
        irqs.unmask(line);
        irqs.finish(line);
    }
    count
}

fn reporting() -> impl Strategy<Value = Reporting> {
    proptest::sample::select(vec![
        Reporting::Changes,
        Reporting::Selected,
        Reporting::Buffers,
    ])
}

proptest! {
    #[test]
    fn an_edge_that_nobody_reported_is_inferred(
        reporting in reporting(),
        trigger in proptest::sample::select(vec![Trigger::Rising, Trigger::Falling, Trigger::Both]),
        before in any::<bool>(), after in any::<bool>(),
    ) {
        let mut irqs = listening(reporting, trigger);
        note(&mut irqs, before.into());
        reset(&mut irqs);
        let fires = before != after && trigger.fires_on_edge_to(after);
        prop_assert_eq!(restart(&mut irqs, after.into()), usize::from(fires));
        // Once is enough.
        prop_assert_eq!(restart(&mut irqs, after.into()), 0);
    }

    #[test]
    fn an_edge_is_inferred_though_the_core_has_turned_all_lines_off_and_on(
        reporting in reporting(),
    ) {
        let mut irqs = listening(reporting, Trigger::Both);
        note(&mut irqs, Low);
        irqs.fall_asleep();
        reset(&mut irqs);
        irqs.disable(LINE);
        irqs.enable(LINE);
        irqs.wake_up();
        prop_assert_eq!(restart(&mut irqs, High), 1);
    }

    #[test]
    fn nothing_is_inferred_from_what_is_not_known(
        reporting in reporting(), after in any::<bool>(),
    ) {
        let mut irqs = listening(reporting, Trigger::Both);
        reset(&mut irqs);
        prop_assert_eq!(restart(&mut irqs, after.into()), 0);
    }

    #[test]
    fn a_line_that_is_turned_on_anew_does_not_fire_for_what_was_before(
        reporting in proptest::sample::select(vec![Reporting::Selected, Reporting::Buffers]),
    ) {
        let mut irqs = listening(reporting, Trigger::Both);
        note(&mut irqs, Low);
        reset(&mut irqs);
        irqs.disable(LINE);
        irqs.enable(LINE);
        prop_assert_eq!(restart(&mut irqs, High), 0);
    }
}

#[test]
fn a_masked_line_fires_when_it_is_unmasked() {
    let mut irqs = listening(Reporting::Buffers, Trigger::Rising);
    note(&mut irqs, Low);
    irqs.mask(LINE);
    reset(&mut irqs);
    assert_eq!(restart(&mut irqs, High), 0);
    assert!(irqs.unmask(LINE));
    assert_eq!(fire(&mut irqs), 1);
}

#[test]
fn a_report_after_the_question_says_more_than_the_answer() {
    let mut irqs = listening(Reporting::Changes, Trigger::Both);
    note(&mut irqs, Low);
    reset(&mut irqs);
    assert_eq!(irqs.next_sync(), Some(LINE));
    let Unsure::Level(epoch) = irqs.next_unsure(LINE) else {
        panic!("the level is not known");
    };
    assert!(irqs.report(LINE, High));
    assert!(!irqs.compared(LINE, epoch, Some(High)));
}

#[test]
fn the_device_gets_the_buffer_again() {
    let mut irqs = listening(Reporting::Buffers, Trigger::High);
    assert!(irqs.is_lent(LINE));
    reset(&mut irqs);
    assert!(!irqs.is_lent(LINE));
    assert_eq!(irqs.change(LINE), Some(Trigger::High));
    assert_eq!(restart(&mut irqs, Low), 0);
    assert_eq!(irqs.next_buffer(), Some(LINE));
    assert_eq!(irqs.returned(LINE, Some(Valid)), Returned::Fire);
}

#[test]
fn a_level_is_asked_for_again() {
    let mut irqs = listening(Reporting::Changes, Trigger::High);
    let (line, epoch) = irqs.next_check().expect("it may be there");
    reset(&mut irqs);
    // That was of the life before.
    assert!(!irqs.checked(line, epoch, Some(High)));
    assert_eq!(irqs.next_sync(), Some(LINE));
    irqs.next_unsure(LINE);
    let (line, epoch) = irqs.next_check().expect("it may be there");
    assert!(irqs.checked(line, epoch, Some(High)));
}

#[test]
fn what_was_told_before_the_reset_is_not_known_after_it() {
    let mut irqs = listening(Reporting::Selected, Trigger::Rising);
    assert_eq!(irqs.set_trigger(LINE, Trigger::Falling), Ok(false));
    let life = irqs.is_being_told(LINE);
    reset(&mut irqs);
    // The answer is from before.
    assert!(!irqs.was_told(LINE, Trigger::Falling, life));
    assert_eq!(irqs.change(LINE), Some(Trigger::Falling));
}

/// The device is told while it is being reset, and reports by what it was told before anybody knows that it
/// was.
#[test]
fn an_edge_is_inferred_though_a_report_came_before_its_time() {
    let mut irqs = listening(Reporting::Selected, Trigger::Both);
    note(&mut irqs, Low);
    let life = irqs.is_being_told(LINE);
    reset(&mut irqs);
    assert!(!irqs.report(LINE, High));
    assert!(!irqs.was_told(LINE, Trigger::Both, life));
    assert_eq!(restart(&mut irqs, High), 1);
}

/// The device dies again while it is told what it has forgotten.
#[test]
fn what_was_tried_in_vain_is_tried_again() {
    for reporting in [Reporting::Changes, Reporting::Selected, Reporting::Buffers] {
        let mut irqs = listening(reporting, Trigger::Both);
        note(&mut irqs, Low);
        reset(&mut irqs);
        while let Some(line) = irqs.next_sync() {
            if irqs.change(line).is_some() {
                irqs.is_being_told(line);
            } else if let Unsure::Level(epoch) = irqs.next_unsure(line) {
                irqs.put_back_unsure(line, epoch);
            }
        }
        (0..3).for_each(|line| irqs.want_sync_if_needed(line));
        assert_eq!(restart(&mut irqs, High), 1, "{reporting:?}");
    }
}

/// What a consumer wanted when the device did not work was told to nobody.
#[test]
fn an_interrupt_that_was_turned_on_meanwhile_is_told_of() {
    let mut irqs = listening(Reporting::Selected, Trigger::Rising);
    irqs.disable(LINE);
    tell(&mut irqs);
    reset(&mut irqs);
    assert_eq!(irqs.next_sync(), None);
    irqs.enable(LINE);
    (0..3).for_each(|line| irqs.want_sync_if_needed(line));
    assert_eq!(irqs.next_sync(), Some(LINE));
    assert_eq!(irqs.change(LINE), Some(Trigger::Rising));
}

/// While its handler was running, and it was masked.
#[test]
fn an_edge_that_was_latched_when_the_system_fell_asleep_fires_when_it_wakes() {
    for reporting in [Reporting::Changes, Reporting::Selected] {
        let mut irqs = listening(reporting, Trigger::Both);
        assert!(irqs.report(LINE, High));
        assert!(irqs.begin(LINE));
        irqs.finish(LINE);
        assert!(!irqs.report(LINE, Low));
        note(&mut irqs, Low);
        irqs.fall_asleep();
        reset(&mut irqs);
        irqs.disable(LINE);
        assert!(irqs.enable(LINE));
        irqs.wake_up();
        assert_eq!(fire(&mut irqs), 1, "{reporting:?}");
        assert_eq!(restart(&mut irqs, Low), 0, "{reporting:?}");
    }
}

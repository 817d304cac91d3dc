// SPDX-License-Identifier: GPL-2.0

//! A campaign: replies and events are spoilt at random, and a seed repeats it.

use std::time::Duration;

use super::{
    Arsenal,
    EventPlan,
    Mutation,
    Plan, //
};
use crate::{
    random::Random,
    ring::Breakage, //
};

/// The rate is a number of so many.
pub const WHOLE: u16 = 1000;

/// Of so many spoilt ones, one breaks its ring, if that may be.
const BREAKING: usize = 100;

/// Of so many spoilt replies, one never comes, if that may be: the driver waits for it.
const NEVER: usize = 2000;

/// How late a reply is.
const LATE: Duration = Duration::from_millis(1);

/// What a device says when it refuses: what is known, what is rare, and what is the kernel's own.
const ERRNOS: [u16; 16] = [
    1, 2, 4, 5, 11, 12, 16, 19, 22, 95, 110, 133, 512, 517, 530, 4095,
];

/// What is left to chance, and how much.
#[derive(Clone, Debug)]
pub struct Campaign {
    rate: u16,
    breaking: bool,
    // One each: how many events there are depends on the time, and should not change the replies.
    replies: Random,
    events: Random,
}

impl Campaign {
    /// Of [`WHOLE`] replies, and of as many events, `rate` are spoilt; so that the ring breaks, if
    /// that may be.
    pub fn new(seed: u64, rate: u16, breaking: bool) -> Self {
        let mut seeds = Random::new(seed);
        Self {
            rate,
            breaking,
            replies: Random::new(seeds.number()),
            events: Random::new(seeds.number()),
        }
    }

    /// Spoils the next reply, or does not.
    pub fn plan(&mut self, plan: &mut Plan, arsenal: &Arsenal) {
        let random = &mut self.replies;
        if !chance(random, self.rate) {
            return;
        }
        if self.breaking && random.below(NEVER) == 0 {
            plan.swallow = true;
            return;
        }
        if self.breaking && random.below(BREAKING) == 0 {
            plan.breakage = Some(breakage(random));
            return;
        }
        // Those, a refusal, one that is late, and one that is out of order.
        let mutations = &arsenal.mutations;
        let choice = random.below(mutations.len() + 3);
        match choice.checked_sub(mutations.len()) {
            None => plan.mutation = mutations.get(choice).copied(),
            Some(0) => plan.mutation = pick(random, &ERRNOS).map(Mutation::Errno),
            Some(1) => plan.delay = Some(LATE),
            Some(_) => plan.shuffle = true,
        }
    }

    /// Spoils the next event, or does not.
    pub fn event_plan(&mut self, arsenal: &Arsenal) -> EventPlan {
        let mut plan = EventPlan::default();
        let random = &mut self.events;
        if !chance(random, self.rate) {
            return plan;
        }
        if self.breaking && random.below(BREAKING) == 0 {
            plan.breakage = Some(breakage(random));
            return plan;
        }
        match random.below(3) {
            0 => plan.before = pick(random, arsenal.forgeries),
            1 => plan.spoil = pick(random, arsenal.forgeries),
            _ => plan.stray = true,
        }
        plan
    }

    /// Whether an event takes the place of what goes back without one.
    pub fn is_stray(&mut self) -> bool {
        chance(&mut self.events, self.rate)
    }
}

fn chance(random: &mut Random, rate: u16) -> bool {
    random.below(WHOLE.into()) < rate.into()
}

fn pick<T: Copy>(random: &mut Random, all: &[T]) -> Option<T> {
    all.get(random.below(all.len())).copied()
}

fn breakage(random: &mut Random) -> Breakage {
    match random.below(2) {
        0 => Breakage::Twice,
        _ => Breakage::BadId,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forgery::Forgery;

    fn arsenal() -> Arsenal {
        Arsenal {
            mutations: Mutation::ALL.to_vec(),
            forgeries: Forgery::OF_MESSAGES,
        }
    }

    fn replies(seed: u64, rate: u16, breaking: bool, count: usize) -> Vec<Plan> {
        let mut campaign = Campaign::new(seed, rate, breaking);
        let plan = || {
            let mut plan = Plan::default();
            campaign.plan(&mut plan, &arsenal());
            plan
        };
        std::iter::repeat_with(plan).take(count).collect()
    }

    fn events(seed: u64, rate: u16, breaking: bool, count: usize) -> Vec<EventPlan> {
        let mut campaign = Campaign::new(seed, rate, breaking);
        (0..count)
            .map(|_| campaign.event_plan(&arsenal()))
            .collect()
    }

    #[test]
    fn a_seed_repeats_it() {
        assert_eq!(replies(1, 500, true, 500), replies(1, 500, true, 500));
        assert_ne!(replies(1, 500, true, 500), replies(2, 500, true, 500));
        assert_eq!(events(1, 500, true, 500), events(1, 500, true, 500));
        assert_ne!(events(1, 500, true, 500), events(2, 500, true, 500));
    }

    #[test]
    fn replies_do_not_depend_on_events() {
        let mut campaign = Campaign::new(7, 300, false);
        let with_events: Vec<_> = (0..200)
            .map(|number| {
                for _ in 0..number % 5 {
                    campaign.event_plan(&arsenal());
                    campaign.is_stray();
                }
                let mut plan = Plan::default();
                campaign.plan(&mut plan, &arsenal());
                plan
            })
            .collect();
        assert_eq!(with_events, replies(7, 300, false, 200));
    }

    #[test]
    fn as_many_are_spoilt_as_were_asked_for() {
        for (rate, from, to) in [(0, 0, 0), (100, 800, 1200), (1000, 10_000, 10_000)] {
            let replies = replies(3, rate, false, 10_000);
            let spoilt = replies.iter().filter(|&plan| *plan != Plan::default());
            assert!((from..=to).contains(&spoilt.count()), "{rate}");
            let events = events(3, rate, false, 10_000);
            let spoilt = events.iter().filter(|&plan| *plan != EventPlan::default());
            assert!((from..=to).contains(&spoilt.count()), "{rate}");
        }
    }

    #[test]
    fn all_ways_are_taken() {
        let replies = replies(5, 1000, true, 20_000);
        let any = |is: &dyn Fn(&Plan) -> bool| replies.iter().any(is);
        for &mutation in Mutation::ALL {
            assert!(any(&|plan| plan.mutation == Some(mutation)));
        }
        for errno in ERRNOS {
            assert!(any(&|plan| plan.mutation == Some(Mutation::Errno(errno))));
        }
        assert!(any(&|plan| plan.delay == Some(LATE)));
        assert!(any(&|plan| plan.shuffle));
        assert!(any(&|plan| plan.swallow));
        let events = events(5, 1000, true, 20_000);
        for breakage in [Breakage::Twice, Breakage::BadId] {
            assert!(any(&|plan| plan.breakage == Some(breakage)));
            assert!(events.iter().any(|plan| plan.breakage == Some(breakage)));
        }
        for &forgery in Forgery::OF_MESSAGES {
            assert!(events.iter().any(|plan| plan.before == Some(forgery)));
            assert!(events.iter().any(|plan| plan.spoil == Some(forgery)));
        }
        assert!(events.iter().any(|plan| plan.stray));
    }

    #[test]
    fn what_ends_a_driver_has_to_be_asked_for() {
        for plan in replies(5, 1000, false, 20_000) {
            assert!(!plan.swallow && !plan.crash && plan.breakage.is_none());
        }
        for plan in events(5, 1000, false, 20_000) {
            assert_eq!(plan.breakage, None);
        }
    }
}

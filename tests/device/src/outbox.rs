// SPDX-License-Identifier: GPL-2.0

//! Answers that wait: for their time, for others to be mixed with, or to be released.

use std::time::{
    Duration,
    Instant, //
};

use crate::random::Random;

/// No answer that is shuffled waits for longer than this.
const PATIENCE: Duration = Duration::from_micros(250);

/// Up to this many answers are kept to choose from.
const CHOICE: usize = 4;

/// Answers that wait.
#[derive(Debug)]
pub struct Outbox<T> {
    swallowed: Vec<T>,
    delayed: Vec<(Instant, Option<u16>, T)>,
    pool: Vec<(u16, T)>,
    /// When the pool is emptied at the latest.
    patience: Option<Instant>,
    random: Random,
}

impl<T> Default for Outbox<T> {
    fn default() -> Self {
        Self {
            swallowed: Vec::new(),
            delayed: Vec::new(),
            pool: Vec::new(),
            patience: None,
            random: Random::new(0),
        }
    }
}

impl<T> Outbox<T> {
    /// Starts the random order anew.
    pub fn seed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// Keeps an answer until it is released.
    pub fn swallow(&mut self, answer: T) {
        self.swallowed.push(answer);
    }

    /// Keeps an answer until its time has come, and until those with the same key that were there
    /// before it have come out.
    pub fn delay(&mut self, answer: T, key: Option<u16>, until: Instant) {
        let pooled = key.is_some_and(|key| self.is_shuffling(key));
        let until = key
            .and_then(|key| self.delayed_until(key))
            .into_iter()
            .chain(self.patience.filter(|_| pooled))
            .fold(until, Instant::max);
        self.delayed.push((until, key, answer));
    }

    /// When the last of the delayed answers with this key comes out, if there is one.
    pub fn delayed_until(&self, key: u16) -> Option<Instant> {
        let of_key = self.delayed.iter().filter(|entry| entry.1 == Some(key));
        of_key.map(|&(until, ..)| until).max()
    }

    /// Whether an answer with this key is being mixed with others.
    pub fn is_shuffling(&self, key: u16) -> bool {
        self.pool.iter().any(|&(other, _)| other == key)
    }

    /// Mixes an answer with others, and returns those whose turn it is.
    ///
    /// Answers with the same key keep their order.
    pub fn shuffle(&mut self, answer: T, key: u16, now: Instant) -> Vec<T> {
        self.pool.push((key, answer));
        let keep = self.random.below(CHOICE);
        let ready = self.draw(keep);
        self.patience = match self.patience {
            _ if self.pool.is_empty() => None,
            None => Some(now + PATIENCE),
            patience => patience,
        };
        ready
    }

    /// Takes answers out of the pool until so many are left.
    fn draw(&mut self, keep: usize) -> Vec<T> {
        let mut drawn = Vec::new();
        while self.pool.len() > keep {
            let chosen = self.random.below(self.pool.len());
            let key = self.pool.get(chosen).map(|&(key, _)| key);
            let first = self.pool.iter().position(|&(other, _)| Some(other) == key);
            drawn.push(self.pool.remove(first.unwrap_or(chosen)).1);
        }
        drawn
    }

    /// The answers whose time has come.
    pub fn due(&mut self, now: Instant) -> Vec<T> {
        let mut due = Vec::new();
        if self.patience.is_some_and(|patience| patience <= now) {
            self.patience = None;
            due = self.draw(0);
        }

        // Stable: equal times keep the order in which the commands came.
        self.delayed.sort_by_key(|&(until, ..)| until);
        let count = self.delayed.partition_point(|&(until, ..)| until <= now);
        due.extend(self.delayed.drain(..count).map(|(.., answer)| answer));
        due
    }

    /// When there is something to do next.
    pub fn deadline(&self) -> Option<Instant> {
        self.delayed
            .iter()
            .map(|&(until, ..)| until)
            .chain(self.patience)
            .min()
    }

    /// The answers that were swallowed.
    pub fn release(&mut self) -> Vec<T> {
        std::mem::take(&mut self.swallowed)
    }

    /// All answers, which do not wait any more.
    pub fn clear(&mut self) -> Vec<T> {
        let mut all = self.release();
        all.extend(self.delayed.drain(..).map(|(.., answer)| answer));
        all.extend(self.pool.drain(..).map(|(_, answer)| answer));
        self.patience = None;
        all
    }

    /// How many answers wait.
    pub fn len(&self) -> usize {
        self.swallowed.len() + self.delayed.len() + self.pool.len()
    }

    /// Whether no answer waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `count` answers through, all at once, and returns the order in which they come out.
    fn shuffled(seed: u64, count: u32, key: impl Fn(u32) -> u16) -> Vec<u32> {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.seed(seed);
        let mut out: Vec<u32> = (0..count)
            .flat_map(|answer| outbox.shuffle(answer, key(answer), now))
            .collect();
        if let Some(deadline) = outbox.deadline() {
            assert!(deadline <= now + PATIENCE);
            out.extend(outbox.due(deadline));
        }
        assert!(outbox.is_empty());
        assert_eq!(outbox.deadline(), None);
        out
    }

    #[test]
    fn each_answer_comes_out_once_and_some_out_of_order() {
        let order = shuffled(1, 100, |answer| answer as u16);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert!(order.windows(2).filter(|pair| pair[0] > pair[1]).count() > 10);
    }

    #[test]
    fn a_seed_repeats_the_order() {
        let order = |seed| shuffled(seed, 50, |answer| answer as u16);
        assert_eq!(order(3), order(3));
        assert_ne!(order(3), order(4));
    }

    #[test]
    fn answers_of_one_key_keep_their_order() {
        let order = shuffled(9, 200, |answer| (answer % 3) as u16);
        for key in 0..3 {
            let of_key: Vec<_> = order.iter().filter(|&&answer| answer % 3 == key).collect();
            assert!(of_key.is_sorted());
        }
    }

    #[test]
    fn a_lone_answer_comes_out_soon() {
        for seed in 0..20 {
            assert_eq!(shuffled(seed, 1, |_| 0), [0]);
        }
    }

    #[test]
    fn delayed_answers_come_at_their_time() {
        let now = Instant::now();
        let ms = Duration::from_millis(1);
        let mut outbox = Outbox::default();
        outbox.delay("b", None, now + 2 * ms);
        outbox.delay("a", None, now + ms);
        outbox.delay("c", None, now + 2 * ms);
        assert_eq!(outbox.deadline(), Some(now + ms));
        assert!(outbox.due(now).is_empty());
        assert_eq!(outbox.due(now + ms), ["a"]);
        assert_eq!(outbox.due(now + 5 * ms), ["b", "c"]);
        assert_eq!(outbox.deadline(), None);
    }

    #[test]
    fn a_delayed_answer_holds_up_those_with_its_key() {
        let now = Instant::now();
        let ms = Duration::from_millis(1);
        let mut outbox = Outbox::default();
        outbox.delay("a", Some(1), now + 3 * ms);
        outbox.delay("b", Some(2), now + ms);
        outbox.delay("c", Some(1), now);
        outbox.delay("d", None, now);
        assert_eq!(outbox.delayed_until(1), Some(now + 3 * ms));
        assert_eq!(outbox.delayed_until(3), None);
        assert_eq!(outbox.due(now), ["d"]);
        assert_eq!(outbox.due(now + ms), ["b"]);
        assert_eq!(outbox.due(now + 3 * ms), ["a", "c"]);
        assert_eq!(outbox.delayed_until(1), None);
    }

    #[test]
    fn swallowed_answers_wait_for_their_release() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.swallow(1);
        outbox.swallow(2);
        assert!(outbox.due(now + Duration::from_secs(1000)).is_empty());
        assert_eq!(outbox.len(), 2);
        assert_eq!(outbox.release(), [1, 2]);
        outbox.swallow(3);
        outbox.delay(4, None, now);
        assert_eq!(outbox.clear(), [3, 4]);
        assert!(outbox.due(now).is_empty());
    }
}

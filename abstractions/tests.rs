// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of the abstractions: what cannot be tried without a kernel, and needs no device.

use super::{
    completion::{
        Completion,
        Deadline,
        Wait, //
    },
    deferred::{
        Deferred,
        Job, //
    },
    gpio::LineNames,
    irq::Domain,
    irq_work::{
        IrqWork,
        Work, //
    },
    ratelimit::RateLimit,
    raw_spinlock::{
        new_raw_spinlock,
        RawSpinLock, //
    },
    spin::{
        Look,
        Sight,
        Spinner, //
    },
    virtio::{
        Buffer,
        Handler,
        Queue, //
    },
};
use kernel::{
    prelude::*,
    static_lock_class,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    time::Delta, //
};

/// A queue of the shape that commands have, which counts what it is called for.
struct Probe {
    calls: usize,
}

impl Handler for Probe {
    type Readable = [u8; 8];
    type Writable = [u8; 4];
    type Context = Arc<u32>;

    fn returned(queue: &Queue<Self>) {
        queue.lock().calls += 1;
    }

    fn taken_back(&mut self, _buffer: Buffer<[u8; 8], [u8; 4], Arc<u32>>) {
        self.calls += 1;
    }

    fn broken(&mut self) {
        self.calls += 1;
    }
}

/// A job that signals, and has itself done again.
struct Again(Arc<Completion>);

impl Job for Again {
    fn run(&self, work: &Deferred<Self>) {
        self.0.signal();
        work.queue_after(1);
    }
}

/// Work that signals, twice if it is told to queue itself again.
struct Signal {
    done: Arc<Completion>,
    again: Atomic<bool>,
}

impl Work for Signal {
    fn run(work: &IrqWork<Self>) {
        work.inner().done.signal();
        if work.inner().again.xchg(false, Relaxed) {
            work.queue();
        }
    }
}

fn names(block: &[u8], lines: u16) -> Result<LineNames> {
    let mut copy = KVVec::new();
    copy.extend_from_slice(block, GFP_KERNEL)?;
    LineNames::new(copy, lines)
}

#[kunit_tests(gpio_virtio_abstractions)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_ends_one_wait() -> Result {
        let done = KBox::pin_init(Completion::new(), GFP_KERNEL)?;

        assert!(!done.try_wait());
        done.signal();
        done.signal();
        assert_eq!(done.wait_killable(Deadline::after(1000)), Wait::Done);
        assert!(done.try_wait());
        assert!(!done.try_wait());
        Ok(())
    }

    #[test]
    fn a_job_is_done_until_it_is_cancelled() -> Result {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let job = KBox::pin_init(Deferred::new(Again(done.clone())), GFP_KERNEL)?;

        job.queue();
        assert_eq!(done.wait_killable(Deadline::after(1000)), Wait::Done);
        assert_eq!(done.wait_killable(Deadline::after(1000)), Wait::Done);
        job.cancel();
        while done.try_wait() {}
        job.queue();
        assert_eq!(done.wait_killable(Deadline::after(5)), Wait::TimedOut);
        Ok(())
    }

    #[test]
    fn one_looks_until_there_is_something_or_the_time_is_over() {
        let moment = Delta::from_micros(50);
        let mut looks = 0;

        // Other tasks may want the processor at any time.
        let Some(spinner) = Spinner::new() else {
            return;
        };
        let found = spinner.look(Delta::ZERO, || {
            looks += 1;
            Sight::All(looks)
        });
        assert!(matches!(found, Look::Found(1)));
        let found = spinner.look(moment, || Sight::<()>::Nothing);
        assert!(!matches!(found, Look::Found(())));
        let found = spinner.look(moment, || Sight::<()>::More);
        assert!(!matches!(found, Look::Found(())));
    }

    #[test]
    fn a_wait_without_a_signal_ends_after_its_time() -> Result {
        let done = KBox::pin_init(Completion::new(), GFP_KERNEL)?;

        assert_eq!(done.wait_killable(Deadline::after(2)), Wait::TimedOut);
        Ok(())
    }

    #[test]
    fn a_signal_for_ever_ends_all_waits() -> Result {
        let done = KBox::pin_init(Completion::new(), GFP_KERNEL)?;

        done.signal_for_ever();
        for _ in 0..3 {
            assert_eq!(done.wait_killable(Deadline::after(1000)), Wait::Done);
        }
        assert!(done.try_wait());
        Ok(())
    }

    #[test]
    fn a_limit_lets_ten_messages_through() -> Result {
        let limit = KBox::pin_init(RateLimit::new(), GFP_KERNEL)?;
        let allowed = (0..50).filter(|_| limit.allows(c"kunit")).count();

        assert_eq!(allowed, 10);
        Ok(())
    }

    #[test]
    fn a_raw_spinlock_keeps_a_value() -> Result {
        let lock: Pin<KBox<RawSpinLock<u32>>> =
            KBox::pin_init(new_raw_spinlock!(1, "kunit"), GFP_KERNEL)?;
        let mut guard = lock.lock();

        assert!(lock.try_lock().is_none());
        *guard += 1;
        drop(guard);
        assert_eq!(*lock.lock(), 2);
        assert!(lock.try_lock().is_some());
        Ok(())
    }

    #[test]
    fn work_is_done_and_can_be_queued_from_itself() -> Result {
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let signal = Signal {
            done: done.clone(),
            again: Atomic::new(true),
        };
        let work = KBox::pin_init(IrqWork::new(signal), GFP_KERNEL)?;

        work.queue();
        for _ in 0..2 {
            assert_eq!(done.wait_killable(Deadline::after(1000)), Wait::Done);
        }
        work.queue();
        // Waits for it.
        drop(work);
        assert!(done.try_wait());
        assert!(!done.try_wait());
        Ok(())
    }

    #[test]
    fn a_domain_without_a_chip_has_nobody_to_call() {
        let domain = Domain::new();

        assert!(!domain.fire(0));
        domain.close();
        assert!(!domain.fire(0));
    }

    #[test]
    fn names_are_given_to_lines_in_order() -> Result {
        let names = names(b"first\0\0third\0", 4)?;

        assert_eq!(names.get(0), Some(c"first"));
        assert_eq!(names.get(1), None);
        assert_eq!(names.get(2), Some(c"third"));
        assert_eq!(names.get(3), None);
        assert_eq!(names.get(4), None);
        Ok(())
    }

    #[test]
    fn a_name_without_an_end_is_not_used() -> Result {
        let names = names(b"first\0second", 2)?;

        assert_eq!(names.get(0), Some(c"first"));
        assert_eq!(names.get(1), None);
        Ok(())
    }

    #[test]
    fn names_for_lines_that_do_not_exist_are_not_used() -> Result {
        let names = names(b"a\0b\0c\0", 2)?;

        assert_eq!(names.get(1), Some(c"b"));
        assert_eq!(names.get(2), None);
        Ok(())
    }

    #[test]
    fn a_buffer_begins_as_zeros_and_keeps_its_context() -> Result {
        let context = Arc::new(7, GFP_KERNEL)?;
        let mut buffer = Buffer::<[u8; 8], [u8; 4], _>::new(context.clone(), GFP_KERNEL)?;

        buffer.write([1; 8]);
        assert_eq!(buffer.read(), [0; 4]);
        assert_eq!(**buffer.context(), 7);

        drop(buffer);
        // The buffer's reference to the context is gone with it.
        assert!(Arc::into_unique_or_drop(context).is_some());
        Ok(())
    }

    #[test]
    fn a_queue_without_a_device_takes_no_buffer() -> Result {
        let queue = KBox::pin_init(
            Queue::new(Probe { calls: 0 }, c"kunit", static_lock_class!()),
            GFP_KERNEL,
        )?;
        let context = Arc::new(9, GFP_KERNEL)?;
        let buffer = Buffer::new(context, GFP_KERNEL)?;
        let mut locked = queue.lock();

        assert_eq!(locked.capacity(), 0);
        let mut taken = 0;
        locked.take_all(|_, _, _| taken += 1);
        assert_eq!(taken, 0);
        match locked.submit(buffer) {
            Ok(()) => return Err(EINVAL),
            // The buffer comes back: it is not lost.
            Err((buffer, error)) => {
                assert_eq!(error, ENODEV);
                assert_eq!(**buffer.context(), 9);
            }
        }
        locked.notify();

        Probe::returned(&queue);
        assert_eq!(queue.lock().calls, 1);
        Ok(())
    }
}

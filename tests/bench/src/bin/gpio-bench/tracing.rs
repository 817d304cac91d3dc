// SPDX-License-Identifier: GPL-2.0

//! The kernel's own record of what it allocates: the events of kmem, in tracefs.

use std::{
    cell::Cell,
    collections::{
        BTreeMap,
        HashMap, //
    },
    fs,
    path::Path,
    sync::mpsc::channel,
    thread, //
};

use anyhow::{
    anyhow,
    bail,
    Context,
    Result, //
};
use rustix::thread::gettid;

use crate::stack::Owner;

/// Where tracefs is.
const TRACING: &str = "/sys/kernel/tracing";

/// The events of allocations, and those of what is given back.
const ALLOCATIONS: [&str; 2] = ["kmalloc", "kmem_cache_alloc"];
const RELEASES: [&str; 2] = ["kfree", "kmem_cache_free"];

/// For so many kilobytes of events, on each processor, there has to be room.
const BUFFER_KB: &str = "8192";

fn read(file: &str) -> Result<String> {
    let path = Path::new(TRACING).join(file);
    fs::read_to_string(&path).with_context(|| {
        format!(
            "cannot read {}: tracefs has to be mounted, in a kernel with CONFIG_HIST_TRIGGERS",
            path.display()
        )
    })
}

fn write(file: &str, text: &str) -> Result<()> {
    let path = Path::new(TRACING).join(file);
    fs::write(&path, text).with_context(|| {
        format!(
            "cannot write {text:?} to {}: tracefs has to be mounted, in a kernel with \
             CONFIG_HIST_TRIGGERS",
            path.display()
        )
    })
}

/// What one owner has allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// How many pieces.
    pub count: u64,
    /// Their sizes, as the allocator has them.
    pub bytes: u64,
}

/// What each owner has allocated.
pub type Amounts = BTreeMap<Owner, Amount>;

fn add(amounts: &mut Amounts, owner: Owner, more: Amount) {
    let amount = amounts.entry(owner).or_default();
    amount.count += more.count;
    amount.bytes += more.bytes;
}

/// Does something in a thread of its own, between something to be done before and something after:
/// what these allocate is another thread's. `before` is told the thread's number.
fn apart<T>(
    operation: impl FnOnce() -> Result<()> + Send,
    before: impl FnOnce(i32) -> Result<()>,
    after: impl FnOnce() -> Result<T>,
) -> Result<T> {
    thread::scope(|scope| {
        let (say_number, number) = channel();
        let (start, started) = channel();
        let thread = scope.spawn(move || -> Result<()> {
            say_number.send(gettid().as_raw_nonzero().get())?;
            // It does not come if `before` has failed.
            match started.recv() {
                Ok(()) => operation(),
                Err(_) => Ok(()),
            }
        });

        let prepared = number
            .recv()
            .map_err(Into::into)
            .and_then(before)
            .and_then(|()| Ok(start.send(())?));
        drop(start);
        let result = thread
            .join()
            .map_err(|_| anyhow!("what was to be traced has failed"))?;
        let after = after();
        prepared.and(result)?;
        after
    })
}

/// Counts what a thread allocates while it does something, by the stacks.
///
/// The kernel sums up, so that the number of allocations does not matter.
pub fn count(module: &str, operation: impl FnOnce() -> Result<()> + Send) -> Result<Amounts> {
    let hist = |thread: &str| {
        format!("hist:keys=common_stacktrace:vals=bytes_alloc:size=4096 if common_pid=={thread}")
    };
    let trigger = |event: &str| format!("events/kmem/{event}/trigger");
    let of = Cell::new(0);

    apart(
        operation,
        |thread| {
            of.set(thread);
            for event in ALLOCATIONS {
                write(&trigger(event), &hist(&thread.to_string()))?;
            }
            Ok(())
        },
        || {
            let mut amounts = Amounts::new();
            for event in ALLOCATIONS {
                let table = read(&format!("events/kmem/{event}/hist"))?;
                write(
                    &trigger(event),
                    &format!("!{}", hist(&of.get().to_string())),
                )?;
                sum_up(&table, module, &mut amounts).with_context(|| {
                    format!("cannot understand the kernel's histogram of {event}")
                })?;
            }
            Ok(amounts)
        },
    )
}

/// Adds what is in a histogram.
fn sum_up(table: &str, module: &str, amounts: &mut Amounts) -> Result<()> {
    let mut stack: Vec<&str> = Vec::new();
    for line in table.lines() {
        let line = line.trim();
        if line.starts_with("{ common_stacktrace:") {
            stack.clear();
        } else if let Some(values) = line.strip_prefix("} hitcount:") {
            let mut numbers = values
                .split(|character: char| !character.is_ascii_digit())
                .filter(|word| !word.is_empty())
                .map(str::parse);
            let (Some(count), Some(bytes)) = (numbers.next(), numbers.next()) else {
                bail!("no count and no size in {line:?}");
            };
            let more = Amount {
                count: count?,
                bytes: bytes?,
            };
            add(amounts, Owner::of(stack.iter().copied(), module), more);
        } else if let Some(dropped) = line.strip_prefix("Dropped: ") {
            if dropped.trim() != "0" {
                bail!("{dropped} of them found no room");
            }
        } else {
            stack.push(line);
        }
    }
    Ok(())
}

/// What a thread has allocated, and not given back, when it has done something.
pub fn kept(module: &str, operation: impl FnOnce() -> Result<()> + Send) -> Result<Amounts> {
    let enable = |on: &str| -> Result<()> {
        for event in ALLOCATIONS.iter().chain(&RELEASES) {
            write(&format!("events/kmem/{event}/enable"), on)?;
        }
        Ok(())
    };
    // A pointer that is printed as a hash is the same as all others until there is entropy; and a
    // function is printed with its module only if it is with its offset.
    let options = |on: &str, off: &str| -> Result<()> {
        write("options/hash-ptr", off)?;
        write("options/stacktrace", on)?;
        write("options/sym-offset", on)
    };

    let text = apart(
        operation,
        |thread| {
            write("buffer_size_kb", BUFFER_KB)?;
            write("trace", "")?;
            options("1", "0")?;
            write("set_event_pid", &thread.to_string())?;
            enable("1")
        },
        || {
            enable("0")?;
            let text = read("trace")?;
            write("set_event_pid", "")?;
            options("0", "1")?;
            write("trace", "")?;
            Ok(text)
        },
    )?;
    balance(&text, module).context("cannot understand the kernel's trace")
}

/// What remains of a trace's allocations.
fn balance(text: &str, module: &str) -> Result<Amounts> {
    let mut pieces: HashMap<&str, Amount> = HashMap::new();
    let mut owners: HashMap<&str, Owner> = HashMap::new();
    let mut stack: Vec<&str> = Vec::new();
    // What the stack that is being read is about.
    let mut pending: Option<&str> = None;

    for line in text.lines().chain([""]) {
        if is_loss(line) {
            bail!("there was no room for all events: {line}");
        }
        if let Some(frame) = line.trim_start().strip_prefix("=> ") {
            stack.push(frame.trim_end());
            continue;
        }
        if line.ends_with("<stack trace>") {
            continue;
        }
        if let Some(pointer) = pending.take() {
            owners.insert(pointer, Owner::of(stack.iter().copied(), module));
        }
        stack.clear();
        let Some(pointer) = field(line, "ptr") else {
            continue;
        };
        if ALLOCATIONS.iter().any(|event| is(line, event)) {
            let bytes = field(line, "bytes_alloc").context("an allocation has no size")?;
            let amount = Amount {
                count: 1,
                bytes: bytes.parse()?,
            };
            pieces.insert(pointer, amount);
            pending = Some(pointer);
        } else if RELEASES.iter().any(|event| is(line, event)) {
            pieces.remove(pointer);
        }
    }

    let mut amounts = Amounts::new();
    for (pointer, amount) in pieces {
        let owner = owners.get(pointer).copied().unwrap_or(Owner::Other);
        add(&mut amounts, owner, amount);
    }
    Ok(amounts)
}

/// Whether a line says that not all events are there.
fn is_loss(line: &str) -> bool {
    let counts = line
        .strip_prefix("# entries-in-buffer/entries-written: ")
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|counts| counts.split_once('/'));
    line.contains("LOST") || counts.is_some_and(|(there, written)| there != written)
}

/// Whether a line is about an event.
fn is(line: &str, event: &str) -> bool {
    line.split_whitespace()
        .any(|word| word.strip_suffix(':') == Some(event))
}

/// The value of a field of an event.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split_whitespace()
        .filter_map(|word| word.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_is_summed_up() {
        let table = "\
# event histogram
#
# trigger info: hist:keys=common_stacktrace:vals=hitcount,bytes_alloc:sort=hitcount:size=4096 if common_pid==12 [active]
#

{ common_stacktrace:
         __kmalloc_noprof+0x1/0x2
         virtqueue_add_sgs+0x1/0x2
         _virtio_gpio_req+0x1/0x2 [gpio_virtio]
} hitcount:       1000  bytes_alloc:      32000
{ common_stacktrace:
         __kmalloc_noprof+0x1/0x2
         linereq_get_values+0x1/0x2
} hitcount:          7  bytes_alloc:         70

Totals:
    Hits: 1007
    Entries: 2
    Dropped: 0
";
        let mut amounts = Amounts::new();
        sum_up(table, "gpio_virtio", &mut amounts).unwrap();
        let amount = |count, bytes| Amount { count, bytes };
        assert_eq!(amounts[&Owner::Virtio], amount(1000, 32000));
        assert_eq!(amounts[&Owner::Gpiolib], amount(7, 70));
        assert_eq!(amounts.len(), 2);
        let full = table.replace("Dropped: 0", "Dropped: 3");
        assert!(sum_up(&full, "gpio_virtio", &mut amounts).is_err());
    }

    #[test]
    fn what_is_given_back_does_not_count() {
        let text = "\
# tracer: nop
#
      gpio-bench-97      [001] .....    12.1: kmalloc: call_site=probe+0x1/0x2 [gpio_virtio] ptr=0000aa bytes_req=60 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1 accounted=false
      gpio-bench-97      [001] .....    12.1: <stack trace>
 => __kmalloc_noprof+0x1/0x2
 => probe+0x1/0x2 [gpio_virtio]
 => really_probe+0x1/0x2
      gpio-bench-97      [001] .....    12.2: kmem_cache_alloc: call_site=x+0x1/0x2 ptr=0000bb name=y bytes_req=60 bytes_alloc=60 gfp_flags=GFP_KERNEL node=-1 accounted=false
      gpio-bench-97      [001] .....    12.2: <stack trace>
 => kmem_cache_alloc_noprof+0x1/0x2
 => really_probe+0x1/0x2
      gpio-bench-97      [001] .....    12.3: kmalloc: call_site=probe+0x1/0x2 [gpio_virtio] ptr=0000cc bytes_req=60 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1 accounted=false
      gpio-bench-97      [001] .....    12.3: <stack trace>
 => __kmalloc_noprof+0x1/0x2
 => probe+0x1/0x2 [gpio_virtio]
      gpio-bench-97      [001] .....    12.4: kfree: call_site=probe+0x1/0x2 [gpio_virtio] ptr=0000cc
      gpio-bench-97      [001] .....    12.4: <stack trace>
 => kfree+0x1/0x2
      gpio-bench-97      [001] .....    12.5: kmem_cache_free: call_site=x+0x1/0x2 ptr=0000ee name=z
";
        let amounts = balance(text, "gpio_virtio").unwrap();
        let amount = |count, bytes| Amount { count, bytes };
        assert_eq!(amounts[&Owner::Driver], amount(1, 64));
        assert_eq!(amounts[&Owner::Other], amount(1, 60));
        assert_eq!(amounts.len(), 2);
        assert!(balance("CPU:1 [LOST 5 EVENTS]\n", "gpio_virtio").is_err());
        let counts = "# entries-in-buffer/entries-written: ";
        assert!(balance(&format!("{counts}428/428   #P:2\n"), "gpio_virtio").is_ok());
        assert!(balance(&format!("{counts}428/430   #P:2\n"), "gpio_virtio").is_err());
    }
}

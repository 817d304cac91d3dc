// SPDX-License-Identifier: GPL-2.0

//! The state of a device, for who wants to look: a file in debugfs.
//!
//! `/sys/kernel/debug/gpio_virtio.DEVICE/state` has a line `NAME: VALUE` for each thing that there is to
//! say.

use crate::{
    events::Events,
    interrupts::Interrupts,
    line_irqs::Counts,
    requests::{
        Requests,
        Snapshot, //
    },
};
use kernel::{
    debugfs,
    device,
    fmt,
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// Where what the file says comes from.
pub(crate) struct Sources {
    requests: Arc<Requests>,
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
}

/// The file. It is there until this is dropped.
pub(crate) type File = Pin<KBox<debugfs::File<Sources>>>;

fn print(sources: &Sources, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Snapshot {
        state,
        resets,
        slots,
        free_slots,
        counts,
    } = sources.requests.snapshot();
    let Counts {
        reports,
        fired,
        merged,
    } = sources.interrupts.counts();

    writeln!(f, "state: {state}")?;
    writeln!(f, "resets: {resets}")?;
    writeln!(f, "slots: {slots}")?;
    writeln!(f, "free-slots: {free_slots}")?;
    writeln!(f, "requests: {}", counts.sent)?;
    writeln!(f, "refused-requests: {}", counts.refused)?;
    writeln!(f, "bad-replies: {}", counts.bad)?;
    writeln!(f, "time-outs: {}", counts.time_outs)?;
    writeln!(f, "late-replies: {}", counts.late)?;
    writeln!(f, "lost-in-resets: {}", counts.lost)?;
    writeln!(f, "events: {reports}")?;
    writeln!(f, "bad-events: {}", sources.events.refused())?;
    writeln!(f, "interrupts: {fired}")?;
    writeln!(f, "merged-edges: {merged}")
}

/// Makes the file of a device.
pub(crate) fn new(
    dev: &device::Device,
    requests: Arc<Requests>,
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
) -> Result<File> {
    let name = CString::try_from_fmt(fmt!("gpio_virtio.{}", dev.name()))?;
    let sources = Sources {
        requests,
        interrupts,
        events,
    };

    KBox::pin_init(
        debugfs::Dir::new(&name).read_callback_file(c"state", sources, &print),
        GFP_KERNEL,
    )
}

// SPDX-License-Identifier: GPL-2.0

//! What is counted about a device, for who wants to look: a file in debugfs.
//!
//! `/sys/kernel/debug/gpio_virtio.DEVICE/events` has a line `NAME VALUE` for each counter.

use crate::{
    events::Events,
    interrupts::Interrupts,
    line_irqs::Counts, //
};
use kernel::{
    debugfs,
    device,
    fmt,
    prelude::*,
    str::CString,
    sync::Arc, //
};

/// Where the counters of a device are.
pub(crate) struct Counters {
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
}

/// The file. It is there until this is dropped.
pub(crate) type File = Pin<KBox<debugfs::File<Counters>>>;

fn print(counters: &Counters, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Counts {
        reports,
        fired,
        merged,
    } = counters.interrupts.counts();
    let refused = counters.events.refused();

    writeln!(f, "reports {reports}")?;
    writeln!(f, "refused {refused}")?;
    writeln!(f, "fired {fired}")?;
    writeln!(f, "merged {merged}")
}

/// Makes the file of a device.
pub(crate) fn file(
    dev: &device::Device,
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
) -> Result<File> {
    let name = CString::try_from_fmt(fmt!("gpio_virtio.{}", dev.name()))?;
    let counters = Counters { interrupts, events };

    KBox::pin_init(
        debugfs::Dir::new(&name).read_callback_file(c"events", counters, &print),
        GFP_KERNEL,
    )
}

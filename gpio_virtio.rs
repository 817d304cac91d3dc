// SPDX-License-Identifier: GPL-2.0

//! Driver for virtio GPIO devices.
//!
//! A virtual machine gets GPIO lines from its host: real ones, or simulated ones for tests. This
//! drives devices with ID 41, which the VIRTIO standard describes, and with ID 30, whose protocol is
//! that of an RFC: `Documentation/protocol-standard.rst` and `Documentation/protocol-rfc.rst`.
//!
//! One way through the code leads from a consumer to the device: gpiolib calls the [`chip`], which
//! gives a command to the [`requests`], which lend a buffer with its message to the device through a
//! [queue](abstractions::virtio), wait for it to come back, and have the reply checked by the
//! [`protocol`]. The other way leads from the device here: [`events`] come in on a queue of their
//! own, are checked there, and go to the [`interrupts`], where [`line_irqs`] says who is to be called.
//! What consumers want to be called for comes in by the [`irq_chip`].
//!
//! What differs between the protocols is in one file for each: what is on the wire in [`rfc`] and
//! [`standard`], what the device says about itself in [`rfc_identity`] and [`standard_identity`], how
//! it reports in [`rfc_events`] and [`standard_events`].
//!
//! A device that does not work any more is reset by the [`recovery`], which brings it to where it was.
//! Who wants to look has the [`state_file`], and trace events by [`tracing`].
//!
//! Everything that is `unsafe` is in the [`abstractions`].

mod abstractions;

#[path = "gpio_virtio/chip.rs"]
mod chip;
#[path = "gpio_virtio/commands.rs"]
mod commands;
#[path = "gpio_virtio/display.rs"]
mod display;
#[path = "gpio_virtio/events.rs"]
mod events;
#[path = "gpio_virtio/identity.rs"]
mod identity;
#[path = "gpio_virtio/interrupts.rs"]
mod interrupts;
#[path = "gpio_virtio/irq_chip.rs"]
mod irq_chip;
#[path = "gpio_virtio/messages.rs"]
mod messages;
#[path = "gpio_virtio/recovery.rs"]
mod recovery;
#[path = "gpio_virtio/request_counts.rs"]
mod request_counts;
#[path = "gpio_virtio/requests.rs"]
mod requests;
#[path = "gpio_virtio/rfc_events.rs"]
mod rfc_events;
#[path = "gpio_virtio/rfc_identity.rs"]
mod rfc_identity;
#[path = "gpio_virtio/spinning.rs"]
mod spinning;
#[path = "gpio_virtio/standard_events.rs"]
mod standard_events;
#[path = "gpio_virtio/standard_identity.rs"]
mod standard_identity;
#[path = "gpio_virtio/state_file.rs"]
mod state_file;
#[path = "gpio_virtio/tracing.rs"]
mod tracing;

// These are pure, and compiled for the host too. There they are public, and the device that the
// driver is tested against uses what the driver itself does not.
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/command.rs"]
mod command;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/line.rs"]
mod line;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/line_irqs.rs"]
mod line_irqs;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/line_states.rs"]
mod line_states;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/message.rs"]
mod message;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/names.rs"]
mod names;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/protocol.rs"]
mod protocol;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/rfc.rs"]
mod rfc;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/slots.rs"]
mod slots;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/standard.rs"]
mod standard;

use abstractions::{
    gpio::{
        Chip as _,
        Info,
        LineNames,
        Registration, //
    },
    // The pure modules know it by this path.
    trigger,
    virtio, //
};
use chip::Lines;
use events::{
    Events,
    NoEvents, //
};
use identity::Names;
use interrupts::Interrupts;
use kernel::{
    device::{
        self,
        Core, //
    },
    prelude::*,
    sync::Arc, //
};
use line_irqs::Reporting;
use protocol::Protocol;
use recovery::{
    Reason,
    Recovery, //
};
use requests::{
    PendingNames,
    Requests, //
};

abstractions::virtio::module_virtio_driver! {
    type: GpioVirtioDriver,
    name: "gpio_virtio",
    authors: ["The gpio-virtio developers"],
    description: "Driver for virtio GPIO devices",
    license: "GPL",
    params: {
        timeout_ms: u32 {
            default: 5000,
            description: "How long a request waits for the device, in milliseconds",
        },
        spin_us: u32 {
            default: 100,
            description: "How long it looks for the reply before it sleeps, in microseconds",
        },
        reset_after: u32 {
            default: 3,
            description: "After how many time-outs in a row the device is reset; 0 for never",
        },
    },
}

abstractions::virtio::virtio_device_table!(
    ID_TABLE,
    [
        virtio::DeviceId::new(rfc::DEVICE_ID),
        virtio::DeviceId::new(standard::DEVICE_ID),
    ]
);

/// The feature bit that both protocols have: what it says about interrupts differs.
const F_IRQ: u32 = {
    assert!(rfc::F_IRQ_TYPE == standard::F_IRQ);
    standard::F_IRQ
};

/// The driver's data for one device: the chip, which has all the rest, and a look at it.
#[pin_data]
struct GpioVirtio<'bound> {
    _state: state_file::File,
    // Before the chip goes: nothing is reset meanwhile.
    _recovering: Recovering,
    #[pin]
    chip: Registration<'bound, Lines>,
}

/// The device may be reset as long as this is there.
struct Recovering(Arc<Recovery>);

impl Drop for Recovering {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// The driver.
struct GpioVirtioDriver;

impl virtio::Driver for GpioVirtioDriver {
    type Data<'bound> = GpioVirtio<'bound>;

    const ID_TABLE: virtio::IdTable = &ID_TABLE;
    const FEATURES: &'static [u32] = &[F_IRQ];

    fn negotiate(features: &virtio::Negotiation<'_>) -> Result {
        if !features.offers(virtio::F_VERSION_1) {
            dev_err!(
                features.device(),
                "a legacy device, left alone: it does not offer VIRTIO_F_VERSION_1\n"
            );
            return Err(ENODEV);
        }
        Ok(())
    }

    fn probe<'bound>(
        dev: &'bound virtio::Device<Core<'_>>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            let protocol = Protocol::of_device(dev.id()).ok_or(ENODEV)?;
            let identity = match protocol {
                Protocol::Rfc => rfc_identity::read(dev)?,
                Protocol::Standard => standard_identity::read(dev)?,
            };
            let lines = identity.lines;

            let reporting = reporting(protocol, dev.has_feature(F_IRQ));
            let interrupts = Interrupts::new(lines, reporting.unwrap_or(Reporting::Changes))?;
            let recovery = Recovery::new::<Self>(dev, module_parameters::reset_after.value())?;
            let limit_ms = module_parameters::timeout_ms.value();
            let spin_us = module_parameters::spin_us.value();
            let requests = Requests::new(
                dev.as_ref(),
                protocol,
                limit_ms,
                spin_us,
                interrupts.clone(),
                recovery.clone(),
            )?;

            let queues = (&*requests, &interrupts, &recovery);
            let events = start(dev, protocol, reporting, lines, queues)
                .inspect_err(|error| dev_err!(dev, "cannot set up the queues: {:?}\n", error))?;
            events.started()?;
            let slots = requests.make_slots(lines)?;

            let domain = reporting.map(|_| interrupts.domain().clone());
            let cdev: &device::Device = dev.as_ref();
            let state =
                state_file::new(cdev, requests.clone(), interrupts.clone(), events.clone())?;
            let (chip, names) = ask(
                cdev,
                identity.names,
                requests,
                interrupts,
                events,
                lines,
                slots,
            )?;
            let info = Info {
                label: identity.label,
                lines,
                names,
            };

            dev_info!(
                dev,
                "{} GPIO lines, {}, {} requests at a time\n",
                lines,
                &*info.label,
                slots
            );

            Ok(try_pin_init!(GpioVirtio {
                _state: state,
                _recovering: Recovering(recovery),
                chip <- Registration::with_interrupts(dev.as_ref(), info, chip, domain),
            }))
        })
    }

    fn pause(data: Pin<&Self::Data<'_>>) {
        data.get_ref().chip.ops().pause();
    }

    fn taken_down(data: Pin<&Self::Data<'_>>) {
        data.get_ref().chip.ops().taken_down();
    }

    fn resume(data: Pin<&Self::Data<'_>>) -> Result {
        data.get_ref().chip.ops().resume()
    }

    fn failed(data: Pin<&Self::Data<'_>>) {
        data.get_ref().chip.ops().failed();
    }

    fn shut_down(data: Pin<&Self::Data<'_>>) {
        // Nobody is to find that the device is stopped, and to start it again.
        data._recovering.0.cancel();
        data.get_ref().chip.ops().shut_down();
    }

    fn config_changed(data: Pin<&Self::Data<'_>>) {
        // Neither protocol has anything in it that may change. So this is how a back end says that it
        // has been started again, or cannot go on.
        data._recovering.0.wanted(Reason::Changed);
    }
}

/// How the lines of a device interrupt, if they do; `f_irq` is whether it has that feature.
const fn reporting(protocol: Protocol, f_irq: bool) -> Option<Reporting> {
    match (protocol, f_irq) {
        (Protocol::Rfc, false) => Some(Reporting::Changes),
        (Protocol::Rfc, true) => Some(Reporting::Selected),
        (Protocol::Standard, false) => None,
        (Protocol::Standard, true) => Some(Reporting::Buffers),
    }
}

/// Starts the device with the queues that it has, in the order of their numbers.
fn start(
    dev: &virtio::Device<Core<'_>>,
    protocol: Protocol,
    reporting: Option<Reporting>,
    lines: u16,
    (requests, interrupts, recovery): (&Requests, &Arc<Interrupts>, &Arc<Recovery>),
) -> Result<Arc<dyn Events>> {
    let interrupts = interrupts.clone();
    let recovery = recovery.clone();
    let commands = requests.queue();

    match protocol {
        // `rfc::EVENT_QUEUE`, `rfc::COMMAND_QUEUE`.
        Protocol::Rfc => {
            let (queue, events) =
                rfc_events::new(dev.as_ref(), lines, interrupts, commands.clone(), recovery)?;

            dev.start([(c"events", queue), (c"commands", commands.into())])?;
            Ok(events)
        }
        // `standard::REQUEST_QUEUE`, `standard::EVENT_QUEUE`.
        Protocol::Standard if reporting.is_some() => {
            let (queue, events) = standard_events::new(dev.as_ref(), lines, interrupts, recovery)?;

            dev.start([(c"requests", commands.into()), (c"events", queue)])?;
            Ok(events)
        }
        Protocol::Standard => {
            let events = Arc::new(NoEvents, GFP_KERNEL)?;

            dev.start([(c"requests", commands.into())])?;
            Ok(events)
        }
    }
}

/// Asks the device about its lines, all at once: for their directions, and for their names if it has
/// to be asked for them.
fn ask(
    dev: &device::Device,
    names: Names,
    requests: Arc<Requests>,
    interrupts: Arc<Interrupts>,
    events: Arc<dyn Events>,
    lines: u16,
    slots: usize,
) -> Result<(Lines, Option<LineNames>)> {
    let (mut asked, known) = match names {
        Names::None => (None, None),
        Names::Known(names) => (None, Some(names)),
        Names::ToBeAsked(size) => (requests.ask_names(dev, size), None),
    };
    // A question on its way has one of the slots.
    let mut block = match slots {
        1 => asked.take().and_then(PendingNames::wait),
        _ => None,
    };
    let chip = Lines::new(requests.clone(), interrupts, events, lines)?;

    if let Some(asked) = asked {
        block = asked.wait();
    }
    let names = known.or_else(|| identity::line_names(dev, Ok(block?), lines));
    Ok((chip, names))
}

// SPDX-License-Identifier: GPL-2.0

//! Driver for virtio GPIO devices.
//!
//! A virtual machine gets GPIO lines from its host: real ones, or simulated ones for tests. This
//! drives devices with ID 30; `Documentation/protocol-rfc.rst` describes their protocol.
//!
//! One way through the code leads from a consumer to the device: gpiolib calls the [`chip`], which
//! gives a command to the [`requests`], which lend a buffer with its message to the device through a
//! [queue](abstractions::virtio), wait for it to come back, and have the reply checked by [`rfc`].
//! The other way leads from the device here: [`events`] come in on a queue of their own, are checked
//! by [`rfc`] too, and go to the [`interrupts`], where [`line_irqs`] says who is to be called.
//! What consumers want to be called for comes in by the [`irq_chip`].
//!
//! Everything that is `unsafe` is in the [`abstractions`].

mod abstractions;

#[path = "gpio_virtio/chip.rs"]
mod chip;
#[path = "gpio_virtio/counters.rs"]
mod counters;
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
#[path = "gpio_virtio/requests.rs"]
mod requests;

// These are pure, and compiled for the host too. There they are public, and the device that the
// driver is tested against uses what the driver itself does not.
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/line_irqs.rs"]
mod line_irqs;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/names.rs"]
mod names;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/rfc.rs"]
mod rfc;
#[allow(dead_code, unreachable_pub)]
#[path = "gpio_virtio/slots.rs"]
mod slots;

use abstractions::{
    gpio::{
        Info,
        Registration, //
    },
    // The pure modules know it by this path.
    trigger,
    virtio, //
};
use chip::Lines;
use interrupts::Interrupts;
use kernel::{
    device::Core,
    prelude::*, //
};
use requests::Requests;

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
    },
}

abstractions::virtio::virtio_device_table!(ID_TABLE, [virtio::DeviceId::new(rfc::DEVICE_ID)]);

/// The driver's data for one device: the chip, which has all the rest, and a look at it.
#[pin_data]
struct GpioVirtio<'bound> {
    _counters: counters::File,
    #[pin]
    _chip: Registration<'bound, Lines>,
}

/// The driver.
struct GpioVirtioDriver;

impl virtio::Driver for GpioVirtioDriver {
    type Data<'bound> = GpioVirtio<'bound>;

    const ID_TABLE: virtio::IdTable = &ID_TABLE;
    const FEATURES: &'static [u32] = &[rfc::F_IRQ_TYPE];

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
            let identity = identity::read(dev)?;
            let lines = identity.lines;

            let interrupts = Interrupts::new(lines, dev.has_feature(rfc::F_IRQ_TYPE))?;
            let limit_ms = module_parameters::timeout_ms.value();
            let requests = Requests::new(dev.as_ref(), limit_ms, interrupts.clone())?;
            let events = events::new(
                dev.as_ref(),
                lines,
                interrupts.clone(),
                requests.queue().clone(),
            )?;

            // In the order of their numbers: `rfc::EVENT_QUEUE`, `rfc::COMMAND_QUEUE`.
            dev.start([
                (c"events", (&events).into()),
                (c"commands", requests.queue().into()),
            ])
            .inspect_err(|error| dev_err!(dev, "cannot set up the queues: {:?}\n", error))?;
            events::fill(&events)?;
            let slots = requests.make_slots()?;

            let info = Info {
                label: identity.label,
                lines,
                names: identity.names,
            };
            let domain = interrupts.domain().clone();
            let counters = counters::file(dev.as_ref(), interrupts.clone(), events.clone())?;
            let chip = Lines::new(requests, interrupts, events, lines, slots)?;

            dev_info!(
                dev,
                "{} GPIO lines, {}, {} requests at a time\n",
                lines,
                &*info.label,
                slots
            );

            Ok(try_pin_init!(GpioVirtio {
                _counters: counters,
                _chip <- Registration::with_interrupts(dev.as_ref(), info, chip, domain),
            }))
        })
    }
}

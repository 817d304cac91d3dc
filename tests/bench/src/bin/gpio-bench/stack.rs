// SPDX-License-Identifier: GPL-2.0

//! Whose a piece of memory is, by the stack that it was allocated with.

/// Who has allocated something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The driver's module: it called the allocator itself, or by a helper such as `devm_kzalloc()`.
    Driver,
    /// The core of virtio, for it.
    Virtio,
    /// gpiolib.
    Gpiolib,
    /// The interrupt core.
    Irq,
    /// Anybody else: the driver core, sysfs, debugfs ...
    Other,
}

impl Owner {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Driver,
        Self::Virtio,
        Self::Gpiolib,
        Self::Irq,
        Self::Other,
    ];

    /// As the results call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Virtio => "virtio",
            Self::Gpiolib => "gpiolib",
            Self::Irq => "irq",
            Self::Other => "other",
        }
    }

    /// That of an allocation with these functions on its stack, the innermost first: the first one
    /// that is no helper of somebody else's.
    pub fn of<'a>(stack: impl IntoIterator<Item = &'a str>, module: &str) -> Self {
        let tag = format!("[{module}]");
        stack
            .into_iter()
            .find(|frame| !is_helper(function(frame)))
            .map_or(Self::Other, |frame| {
                let function = function(frame);
                let starts =
                    |prefixes: &[&str]| prefixes.iter().any(|prefix| function.starts_with(prefix));
                if frame.ends_with(&tag) {
                    Self::Driver
                } else if starts(VIRTIO) {
                    Self::Virtio
                } else if starts(GPIOLIB) {
                    Self::Gpiolib
                } else if starts(IRQ) {
                    Self::Irq
                } else {
                    Self::Other
                }
            })
    }
}

/// Functions that allocate for their callers.
const HELPERS: &[&str] = &[
    "__alloc_obj",
    "__devm_alloc",
    "__devres_alloc",
    "__do_k",
    "__do_trace_",
    "__kmalloc",
    "__kvmalloc",
    "alloc_dr",
    "devm_k",
    "devres_alloc",
    "ftrace_",
    "kasprintf",
    "kmalloc",
    "kmem_cache_",
    "kmemdup",
    "krealloc",
    "kstrdup",
    "kvasprintf",
    "kvmalloc",
    "kvrealloc",
    "rust_helper_",
    "trace_",
];

/// Parts of the core of virtio.
const VIRTIO: &[&str] = &[
    "__vring_",
    "alloc_indirect",
    "setup_vq",
    "virtio_",
    "virtqueue_",
    "vp_",
    "vring_",
];

/// Parts of gpiolib.
const GPIOLIB: &[&str] = &[
    "edge_detector",
    "gpio",
    "line_",
    "linehandle",
    "lineinfo",
    "linereq",
];

/// Parts of the interrupt core.
const IRQ: &[&str] = &[
    "__irq",
    "__setup_irq",
    "alloc_desc",
    "irq_",
    "request_threaded_irq",
];

/// Whether a function allocates for its callers. Rust's allocators are in the kernel crate.
fn is_helper(function: &str) -> bool {
    HELPERS.iter().any(|helper| function.starts_with(helper))
        || (function.starts_with("_R") && function.contains("6kernel5alloc"))
}

/// The name of the function in a frame, as `kmalloc` in `kmalloc+0x10/0x20 [module]`.
fn function(frame: &str) -> &str {
    frame.split(['+', ' ']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_function_that_is_no_helper_counts() {
        let owner = |stack: &[&str]| Owner::of(stack.iter().copied(), "gpio_virtio");
        assert_eq!(
            owner(&[
                "__kmalloc_node_track_caller_noprof+0x1/0x2",
                "devm_kmalloc+0x1/0x2",
                "virtio_gpio_probe+0x3/0x4 [gpio_virtio]",
                "virtio_dev_probe+0x1/0x2",
            ]),
            Owner::Driver
        );
        assert_eq!(
            owner(&[
                "__kmalloc_noprof+0x1/0x2",
                "virtqueue_add_sgs+0x1/0x2",
                "_virtio_gpio_req+0x3/0x4 [gpio_virtio]",
            ]),
            Owner::Virtio
        );
        assert_eq!(
            owner(&[
                "__kmalloc_noprof+0x1/0x2",
                "gpiochip_add_data_with_key+0x1/0x2",
                "virtio_gpio_probe+0x3/0x4 [gpio_virtio]",
            ]),
            Owner::Gpiolib
        );
        assert_eq!(
            owner(&[
                "_RNvNtCs1_6kernel5alloc9allocator+0x1/0x2",
                "x [gpio_virtio]"
            ]),
            Owner::Driver
        );
        assert_eq!(owner(&["__kmalloc", "x [other]"]), Owner::Other);
        assert_eq!(owner(&[]), Owner::Other);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Lets the kernel print what the pure modules say.
//!
//! The kernel's format macros have a `Display` trait of their own, which the pure modules cannot
//! name: they are compiled for the host too.

use crate::{
    command::ReplyError,
    names::NamesError,
    rfc,
    standard, //
};
use kernel::fmt;

macro_rules! display_as_on_the_host {
    ($($type:ty),* $(,)?) => {
        $(
            impl fmt::Display for $type {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    core::fmt::Display::fmt(self, f)
                }
            }
        )*
    };
}

display_as_on_the_host!(
    NamesError,
    ReplyError,
    rfc::config::ConfigError,
    rfc::EventError,
    standard::config::ConfigError,
    standard::EventError,
);

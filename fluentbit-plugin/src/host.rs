//! The border to the host: what every callback begins with.

use std::ffi::{c_int, c_void};

use bellwether_agent::guard;

use crate::abi::{Fit, Handle, Host, Layout, Level};
use crate::config;

/// The host. Where it lacks a function, that is said on the standard error: there is no log without one.
pub fn host() -> Option<Host> {
    match Host::find() {
        Ok(host) => Some(host),
        Err(function) => {
            eprintln!(
                "[bellwether] this program cannot be used: it has no function {function}; Fluent Bit 2.2 to 5.1 has"
            );
            None
        }
    }
}

/// What a program calls that the plugin cannot run in, in the place of every callback: says why, and fails.
pub unsafe extern "C" fn refuse(_: Handle, _: Handle, _: *mut c_void) -> c_int {
    guard(-1, || {
        if let (Some(host), Fit::Impossible(why)) = (host(), Layout::of_program().fits_input()) {
            host.log(Level::Error, &format!("[bellwether] {why}"));
        }
        -1
    })
}

/// Whether the plugin can run in this program as the option [`config::ALLOW_UNKNOWN`] has it, which `property` reads.
///
/// Gives what is to be logged of it where it can.
///
/// # Errors
/// Why it cannot, and what would help.
pub fn check(
    fit: Fit,
    property: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, String> {
    match fit {
        Fit::Known => Ok(None),
        Fit::Impossible(why) => Err(why),
        Fit::Unknown(why) if config::allows_unknown(property)? => Ok(Some(format!(
            "{why}; starting all the same, as {} is on",
            config::ALLOW_UNKNOWN
        ))),
        Fit::Unknown(why) => Err(format!(
            "{why}; use a newer bellwether, or, at the risk of a crash, set {} on",
            config::ALLOW_UNKNOWN
        )),
    }
}

/// Runs the body of a callback; a panic ends it there, is logged and gives `otherwise`.
pub fn guard<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    let log = |message: &str| {
        if let Ok(host) = Host::find() {
            host.log(Level::Error, &format!("[bellwether] {message}"));
        }
    };
    guard::guard(otherwise, log, body)
}

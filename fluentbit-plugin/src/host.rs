//! The border to the host: what every callback begins with.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// What a panic says.
fn panic_message(cause: &(dyn Any + Send)) -> &str {
    cause
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| cause.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

/// Runs what a callback does; a panic ends it there and gives `otherwise`.
pub fn guard<T>(otherwise: T, what: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|cause| {
        let message = format!("[bellwether] internal error: {}", panic_message(&*cause));
        // Logging must not unwind into C either.
        catch_unwind(|| {
            if let Ok(host) = Host::find() {
                host.log(Level::Error, &message);
            }
        })
        .ok();
        otherwise
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_at_the_border() {
        assert_eq!(guard(7, || panic!("out of the blue")), 7);
        assert_eq!(guard(7, || 8), 8);
        let cause = catch_unwind(|| panic!("out of the {}", "blue")).unwrap_err();
        assert_eq!(panic_message(&*cause), "out of the blue");
    }
}

//! The border to an agent written in C, which a panic must not cross.
//!
//! ```
//! use bellwether_agent::guard::guard;
//!
//! let mut logged = String::new();
//! let status = guard(-1, |message| logged = message.to_owned(), || panic!("out of the blue"));
//! assert_eq!((status, logged.as_str()), (-1, "internal error: out of the blue"));
//! ```

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of a panic.
///
/// ```
/// let cause = std::panic::catch_unwind(|| panic!("out of the {}", "blue")).unwrap_err();
/// assert_eq!(bellwether_agent::guard::panic_message(&*cause), "out of the blue");
/// ```
pub fn panic_message(cause: &(dyn Any + Send)) -> &str {
    cause
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| cause.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
}

/// Runs the body of a callback. A panic ends there: `log` gets its message, and the result is `otherwise`.
///
/// `log` may panic, too: that ends here likewise.
pub fn guard<T>(otherwise: T, log: impl FnOnce(&str), body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|cause| {
        let message = format!("internal error: {}", panic_message(&*cause));
        catch_unwind(AssertUnwindSafe(|| log(&message))).ok();
        otherwise
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_panic_the_result_is_the_bodys_and_nothing_is_logged() {
        assert_eq!(guard(7, |_| panic!("nothing is to be logged"), || 8), 8);
    }

    #[test]
    fn a_panic_ends_at_the_border_even_where_logging_it_panics() {
        let body = || panic!("out of the blue");
        assert_eq!(guard(7, |_| panic!("the log is gone"), body), 7);
    }

    #[test]
    fn a_panic_without_a_text_is_unknown() {
        let cause = catch_unwind(|| std::panic::panic_any(7)).unwrap_err();
        assert_eq!(panic_message(&*cause), "unknown");
    }
}

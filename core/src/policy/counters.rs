//! Counts of what happened.

use serde::{Deserialize, Serialize};

/// Declares [`Counters`] with their names.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counts of what happened since the first input. A snapshot keeps them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)+ }

        impl Counters {
            /// Names and values.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

counters! {
    /// Inputs, refused ones included.
    inputs,
    /// Inputs that were refused.
    refused,
    /// Reports of evidence that counted.
    findings,
    /// Reports that said nothing new, or came after the end of their condition.
    findings_known,
    /// Reports about hosts with too many conditions.
    findings_full,
    /// Reports about hosts beyond `max_hypervisors`.
    hosts_refused,
    /// Suggestions to people.
    suggested,
    /// Times that a suggestion was not made because too many are open.
    suggestions_full,
    /// Suggestions that people dismissed.
    dismissed,
    /// Approvals that were refused.
    approvals_refused,
    /// Decisions to hold an evacuation.
    held,
    /// Evacuations that were started.
    evacuations,
    /// Evacuations that ended.
    evacuated,
    /// Evacuations that failed.
    failed,
    /// Times that the brake tripped.
    trips,
}

//! The terms of events: kind, state, severity, cause and direction.

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants have one word each in JSON.
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }
        impl $name {
            /// The word that stands for it in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The kind of an event.
    #[non_exhaustive]
    pub enum EventKind {
        /// Many VMs of one hypervisor changed together, or froze.
        HypervisorAnomaly = "hypervisor_anomaly",
        /// All VMs of one hypervisor stopped reporting: its state is unknown until they report again.
        HypervisorSilence = "hypervisor_silence",
        /// Most hypervisors stopped reporting at about the same time: likely the collector or its input.
        CollectorSilence = "collector_silence",
        /// Many hypervisors changed at about the same time: the fleet, not one of them.
        FleetChange = "fleet_change",
        /// A workload changed: one VM alone, or many in a way that matches their own past.
        WorkloadChange = "workload_change",
        /// The resources of a host itself deviate from their usual course: evidence, not an alarm of its own.
        ResourceAnomaly = "resource_anomaly",
        /// The log of a host reports a failure.
        LogFailure = "log_failure",
        /// The log of a host has a burst of new messages.
        LogNovelty = "log_novelty",
        /// All evidence about a host together makes a failure of its guests likely.
        FailureRisk = "failure_risk",
        /// More hosts of a group failed at about the same time than by chance: likely what they share.
        GroupAnomaly = "group_anomaly",
    }
}

words! {
    /// Whether an event begins or ends a condition.
    pub enum State {
        /// The condition has begun.
        Raised = "raised",
        /// The condition goes on: it became more severe, or has lasted long since it was reported.
        Updated = "updated",
        /// The condition has ended.
        Cleared = "cleared",
    }
}

words! {
    /// Severity, in the terms that collectd's notifications use.
    pub enum Severity {
        /// All is well (again).
        Okay = "okay",
        /// To be checked: provisional, or of a kind that need not be a failure.
        Warning = "warning",
        /// Act: move the guests away.
        Failure = "failure",
    }
}

words! {
    /// The source of a change, in the terms of attribution theory (lecture, "Approach").
    pub enum Cause {
        /// From the VMs themselves: their workload.
        Internal = "internal",
        /// From outside the VMs: the hypervisor.
        External = "external",
        /// From outside the hypervisor: many hypervisors changed at about the same time.
        Fleet = "fleet",
    }
}

words! {
    /// The direction in which the VMs changed.
    pub enum Direction {
        /// They rose.
        Up = "up",
        /// They fell.
        Down = "down",
        /// Some rose while others fell.
        Mixed = "mixed",
        /// They repeat one value.
        Frozen = "frozen",
    }
}

//! The terms of the policy: what is known about a host, what is decided, and by which rule.

use serde::{Deserialize, Serialize};

use crate::event::words;
use crate::options::choice;

choice! {
    /// Who starts an evacuation.
    pub enum Mode {
        /// Nobody: the policy only suggests.
        Suggest = "suggest",
        /// A person, by approving a suggestion.
        Confirm = "confirm",
        /// The policy, within its limits.
        Auto = "auto",
    }
}

impl Mode {
    /// The word that stands for it in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suggest => "suggest",
            Self::Confirm => "confirm",
            Self::Auto => "auto",
        }
    }
}

choice! {
    /// Which hosts take the guests of an evacuated one.
    pub enum TargetRule {
        /// No rule is set; `mode = auto` is refused.
        Unset = "unset",
        /// Any green host that is neither frozen nor part of an anomalous group, within `target_same` and `target_other`.
        Green = "green",
        /// The platform that the executor speaks to chooses by itself.
        Platform = "platform",
    }
}

words! {
    /// The kind of evidence about a host. Two kinds are independent of each other, except [`EvidenceKind::Risk`].
    pub enum EvidenceKind {
        /// The metrics of its guests.
        Metrics = "metrics",
        /// Its log.
        Log = "log",
        /// Its own resources.
        Resource = "resource",
        /// The risk that is computed from the other kinds. It orders hosts and makes a host yellow, but never counts as a second
        /// kind: it is not independent of the first.
        Risk = "risk",
    }
}

words! {
    /// Where the cause of a finding is.
    pub enum Origin {
        /// In the host. Only this counts for an evacuation.
        Host = "host",
        /// In the guests: their workload.
        Internal = "internal",
        /// Unknown: the host, or all hosts, stopped reporting.
        Silence = "silence",
        /// In what many hosts have in common.
        Fleet = "fleet",
    }
}

words! {
    /// The health of a host.
    #[derive(Default)]
    pub enum Health {
        /// Nothing is known against it.
        #[default]
        Green = "green",
        /// Evidence that does not suffice for an evacuation, such as provisional evidence or one kind alone.
        Yellow = "yellow",
        /// Evidence that suffices: move its guests away.
        Red = "red",
    }
}

words! {
    /// What is decided about a host.
    pub enum Action {
        /// A person is asked to move the guests away.
        Suggest = "suggest",
        /// The guests are to be moved away now. This is the only action that moves anything.
        Evacuate = "evacuate",
        /// An evacuation waits; it starts by itself when the rule that holds it allows it.
        Hold = "hold",
        /// An approval was not carried out; the suggestion stays open.
        Refuse = "refuse",
        /// The brake has tripped: nothing is evacuated until a person resets it.
        Trip = "trip",
        /// The suggestion is over.
        Withdraw = "withdraw",
    }
}

words! {
    /// The rule that made a decision, or the health of a host.
    pub enum Rule {
        /// At least two kinds of evidence within the option `window_sec`.
        TwoKinds = "two_kinds",
        /// A log failure of a family in the option `log_families`.
        LogFamily = "log_family",
        /// Evidence that does not suffice: one kind, provisional, untrusted, from within, silent or of the fleet.
        Insufficient = "insufficient",
        /// No evidence.
        NoEvidence = "no_evidence",
        /// A person approved it.
        Approved = "approved",
        /// A person dismissed it.
        Dismissed = "dismissed",
        /// The evidence has to last for the option `hold_down_sec`.
        HoldDown = "hold_down",
        /// Another host is being evacuated.
        OneAtATime = "one_at_a_time",
        /// The option `max_hosts` is reached.
        MaxHosts = "max_hosts",
        /// The option `max_share` is reached.
        MaxShare = "max_share",
        /// The option `max_per_group` is reached.
        MaxPerGroup = "max_per_group",
        /// A group of the host is anomalous.
        GroupAnomaly = "group_anomaly",
        /// The host is not in the topology, so that its groups are unknown.
        UnknownHost = "unknown_host",
        /// It is within the option `quiet_hours`.
        QuietHours = "quiet_hours",
        /// A person paused evacuations.
        Paused = "paused",
        /// A condition of the option `freeze_on` lasts, or the controller cannot decide.
        Frozen = "frozen",
        /// The brake has tripped.
        Tripped = "tripped",
        /// At least `trip_hosts` hosts, or a share of `trip_share`, turned red within `window_sec`.
        TripHosts = "trip_hosts",
        /// `trip_failures` consecutive evacuations failed.
        TripFailures = "trip_failures",
        /// An evacuation has not reported its end within the option `evacuation_sec`.
        Timeout = "timeout",
        /// The evidence has ended or no longer suffices.
        EvidenceEnded = "evidence_ended",
        /// A suggestion is older than the option `suggestion_sec`.
        Expired = "expired",
        /// The evacuation has ended.
        Evacuated = "evacuated",
        /// The evacuation has failed.
        Failed = "failed",
        /// A limit of the state is reached.
        Full = "full",
    }
}

words! {
    /// What a person says about a dismissed suggestion.
    pub enum Verdict {
        /// Nothing was wrong with the host.
        False = "false",
        /// Something was wrong, and it is taken care of.
        Confirmed = "confirmed",
        /// The host was repaired or replaced.
        Replaced = "replaced",
        /// Unclear, or of no interest.
        Unclear = "unclear",
    }
}

words! {
    /// What became of an evacuation.
    pub enum Step {
        /// It has begun.
        Started = "started",
        /// It has ended.
        Ended = "ended",
        /// It has failed, at least in part, or was canceled.
        Failed = "failed",
    }
}

words! {
    /// What a suggestion waits for.
    pub enum Phase {
        /// For a person.
        Suggested = "suggested",
        /// For the rule that holds it; then it is evacuated.
        Cleared = "cleared",
        /// For the end of its evacuation.
        Running = "running",
    }
}

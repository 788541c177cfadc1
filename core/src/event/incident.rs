//! The identity of an incident.

use std::fmt;
use std::hash::Hasher as _;
use std::str::FromStr;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::terms::EventKind;
use crate::units::Time;

/// Identifies an incident: the events that raise and clear it share it.
///
/// It is computed from what the incident is about and when it began, with a hash function that never changes, so it is the same
/// after a restart and different for each host, and the same data give the same identity. As text it has 32 hexadecimal digits.
///
/// ```
/// use bellwether_core::event::{EventKind, IncidentId};
/// use bellwether_core::units::Time;
///
/// let began = Time::from_secs(1_700_000_000.0);
/// let id = IncidentId::new(EventKind::HypervisorAnomaly, &["kvm1", "cpu"], began, 0);
/// assert_eq!(id, IncidentId::new(EventKind::HypervisorAnomaly, &["kvm1", "cpu"], began, 0));
/// assert_ne!(id, IncidentId::new(EventKind::HypervisorAnomaly, &["kvm2", "cpu"], began, 0));
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(u128);

impl IncidentId {
    /// The identity of an episode in the log of the host `stream`, as its events have it.
    pub(crate) fn of_log_failure(stream: &str, began: Time, ordinal: u64) -> Self {
        Self::new(
            EventKind::LogFailure,
            &[stream, "", "", stream],
            began,
            ordinal,
        )
    }

    /// The identity of an incident of this kind about `names` that began at `began`. If several can begin at the same time,
    /// `ordinal` distinguishes them.
    pub fn new(kind: EventKind, names: &[&str], began: Time, ordinal: u64) -> Self {
        let mut hasher = SipHasher13::new();
        let mut add = |bytes: &[u8]| {
            // The length distinguishes "ab", "c" from "a", "bc".
            hasher.write(&(bytes.len() as u64).to_le_bytes());
            hasher.write(bytes);
        };
        add(kind.as_str().as_bytes());
        for name in names {
            add(name.as_bytes());
        }
        add(&began.secs().to_bits().to_le_bytes());
        add(&ordinal.to_le_bytes());
        Self(hasher.finish128().as_u128())
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IncidentId({self})")
    }
}

/// A text is not the identity of an incident.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not the identity of an incident, which has 32 hexadecimal digits")]
pub struct NoIncidentId(String);

impl FromStr for IncidentId {
    type Err = NoIncidentId;

    fn from_str(text: &str) -> Result<Self, NoIncidentId> {
        let is_one = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let number = is_one
            .then(|| u128::from_str_radix(text, 16).ok())
            .flatten();
        number
            .map(Self)
            .ok_or_else(|| NoIncidentId(text.to_owned()))
    }
}

impl serde::Serialize for IncidentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for IncidentId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_the_same_in_every_version() {
        let began = Time::from_secs(1_700_000_000.5);
        let id = IncidentId::new(EventKind::LogFailure, &["kvm1"], began, 3);
        assert_eq!(id.to_string(), "fb44948f3b33cf2e5bbce08d8c820c73");
    }

    #[test]
    fn names_time_kind_and_ordinal_make_the_difference() {
        let began = Time::from_secs(1.0);
        let ids = [
            IncidentId::new(EventKind::LogFailure, &["ab", "c"], began, 0),
            IncidentId::new(EventKind::LogFailure, &["a", "bc"], began, 0),
            IncidentId::new(EventKind::LogNovelty, &["ab", "c"], began, 0),
            IncidentId::new(EventKind::LogFailure, &["ab", "c"], Time::from_secs(2.0), 0),
            IncidentId::new(EventKind::LogFailure, &["ab", "c"], began, 1),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id), "{i}");
        }
    }

    #[test]
    fn what_is_no_identity_is_refused() {
        for text in [
            "",
            "12",
            "+2345678901234567890123456789012",
            "zz345678901234567890123456789012",
        ] {
            assert!(text.parse::<IncidentId>().is_err(), "{text}");
        }
    }
}

//! Inference: what a log message says about the health of its host.
//!
//! [`Inference`] is the interface: text and template in, a [`Finding`] or "don't know" out. [`Lexicon`] is the implementation that
//! needs nothing but the binary.
//!
//! ```
//! use bellwether_core::inference::{Family, Inference as _, Lexicon};
//!
//! let lexicon = Lexicon::builtin();
//! let finding = lexicon.judge("blk_update_request: I/O error, dev sda, sector 2048", "").unwrap();
//! assert_eq!(finding.family, Family::Storage);
//! assert!(lexicon.judge("Started Session 7 of user root.", "").is_none());
//! ```

mod compile;
mod lexicon;
mod numbers;
mod phrase;
mod reading;
mod scale;
mod scan;
mod syntax;
mod words;

use serde::{Deserialize, Serialize};

pub use lexicon::Lexicon;
pub use syntax::LexiconError;

/// The severity from which a message is a failure, and below which it is at most a hint.
pub const FAULT: f32 = 0.5;
/// The severity below which a finding is weak: a record's own priority may raise or lower it.
const WEAK: f32 = 0.6;
/// What the priorities "critical" and worse add to a weak finding.
const RAISED: f32 = 0.2;
/// What the priorities "informational" and "debug" take from a weak finding.
const LOWERED: f32 = 0.1;
/// The syslog priority "critical"; smaller is worse.
const CRITICAL: u8 = 2;
/// The syslog priority "informational"; only "debug" is less.
const INFORMATIONAL: u8 = 6;

/// Judges messages.
pub trait Inference {
    /// What `text` says, or `None` where the judge has nothing to say about it.
    ///
    /// `text` is the message as it was logged. `template` is the message with its values replaced by placeholders such as
    /// `<:NUM:>`, `<:*:>` or `<*>`; it is judged where `text` is empty. A verdict is one on the text and not on its
    /// template: "0 errors" and "12 errors" have one template.
    fn judge(&self, text: &str, template: &str) -> Option<Finding>;

    /// What kind of number `digits` is, a whole run of ASCII digits with no letter before it: numbers of one kind can stand for
    /// each other in any text, and it says the same. Whoever remembers verdicts may so have one for many texts. Here every
    /// number is its own kind.
    fn kind_of_number(&self, digits: &[u8]) -> u64 {
        numbers::own_kind(digits)
    }

    /// Whether any number in a text can make a difference to what it says. `masked` is the text with placeholders for its
    /// numbers, addresses and identifiers and with all its words; where this is `false`, all texts that are the same masked, and
    /// that have no number with a sign, say the same.
    fn minds_numbers(&self, masked: &str) -> bool {
        let _ = masked;
        true
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad, above 0 and at most 1; [`FAULT`] and more is a failure.
    pub severity: f32,
    /// What is failing.
    pub family: Family,
    /// Why, in a few words that name the phrase found.
    pub reason: String,
}

/// What is failing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Memory has run out.
    Memory,
    /// A disk, an array, a path to either, or a file system.
    Storage,
    /// Something waits far too long.
    Stall,
    /// The CPUs have no time to spare.
    CpuPressure,
    /// Hardware reports an error: memory, processor, bus, power, cooling.
    Hardware,
    /// The kernel found itself in error.
    Kernel,
    /// A part of the kernel's account of an error.
    Trace,
    /// A program crashed or was killed.
    Process,
    /// The hypervisor or a virtual machine.
    Vmm,
    /// A service that the host needs, or a cluster of such.
    Service,
    /// A network interface or link.
    Network,
}

impl Family {
    /// All families, in the order of their names' first mention.
    pub const ALL: [Family; 11] = [
        Family::Memory,
        Family::Storage,
        Family::Stall,
        Family::CpuPressure,
        Family::Hardware,
        Family::Kernel,
        Family::Trace,
        Family::Process,
        Family::Vmm,
        Family::Service,
        Family::Network,
    ];

    /// The name, as events and lexicon files write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Memory => "memory",
            Family::Storage => "storage",
            Family::Stall => "stall",
            Family::CpuPressure => "cpu_pressure",
            Family::Hardware => "hardware",
            Family::Kernel => "kernel",
            Family::Trace => "trace",
            Family::Process => "process",
            Family::Vmm => "vmm",
            Family::Service => "service",
            Family::Network => "network",
        }
    }

    /// The family of that name.
    pub fn from_name(name: &str) -> Option<Family> {
        Self::ALL.into_iter().find(|family| family.as_str() == name)
    }
}

/// `finding` with the record's own priority as added evidence: syslog's severity, 0 (emergency) to 7 (debug).
///
/// "Critical" and worse raise a weak finding, "informational" and "debug" lower one. A strong finding stays as it is, for
/// some failures are logged as information; and no priority makes a finding where there is none.
pub fn with_priority(finding: Option<Finding>, priority: Option<u8>) -> Option<Finding> {
    let mut finding = finding?;
    if finding.severity < WEAK {
        match priority {
            Some(..=CRITICAL) => {
                finding.severity += RAISED;
                finding.reason.push_str(", logged as critical");
            }
            Some(INFORMATIONAL..) => finding.severity = (finding.severity - LOWERED).max(0.0),
            _ => {}
        }
    }
    (finding.severity > 0.0).then_some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: f32) -> Option<Finding> {
        Some(Finding {
            severity,
            family: Family::Storage,
            reason: "\"failed\"".into(),
        })
    }

    fn severity(before: f32, priority: Option<u8>) -> f32 {
        with_priority(finding(before), priority).unwrap().severity
    }

    #[test]
    fn critical_and_worse_raise_a_weak_finding() {
        for priority in 0..=2 {
            assert!(severity(0.4, Some(priority)) >= FAULT);
        }
        assert_eq!(severity(0.4, Some(3)), 0.4);
        let raised = with_priority(finding(0.4), Some(2)).unwrap();
        assert!(raised.reason.contains("critical"), "{}", raised.reason);
    }

    #[test]
    fn information_and_debug_lower_a_weak_finding() {
        assert!(severity(0.55, Some(6)) < FAULT);
        assert!(severity(0.55, Some(7)) < FAULT);
        assert_eq!(severity(0.55, Some(5)), 0.55);
    }

    #[test]
    fn a_strong_finding_keeps_its_severity_whatever_the_priority() {
        for priority in 0..=7 {
            assert_eq!(severity(0.9, Some(priority)), 0.9);
        }
    }

    #[test]
    fn no_priority_is_a_finding_by_itself() {
        for priority in 0..=7 {
            assert_eq!(with_priority(None, Some(priority)), None);
        }
        assert_eq!(severity(0.4, None), 0.4);
    }

    #[test]
    fn a_family_is_written_the_same_everywhere() {
        for family in Family::ALL {
            assert_eq!(Family::from_name(family.as_str()), Some(family));
            assert_eq!(
                serde_json::to_string(&family).unwrap(),
                format!("\"{}\"", family.as_str())
            );
        }
        assert_eq!(Family::from_name("weather"), None);
    }
}

//! The result of classifying a message, and its adjustment by the record's priority.

use super::family::Family;

/// A message with at least this severity is a failure; below, it is at most a hint.
pub const FAULT: f32 = 0.5;
/// A finding below this severity is weak: the record's priority may raise or lower it.
const WEAK: f32 = 0.6;
/// Added to a weak finding by the priorities "critical" and worse.
const RAISED: f32 = 0.2;
/// Subtracted from a weak finding by the priorities "informational" and "debug".
const LOWERED: f32 = 0.1;
/// The syslog priority "critical"; smaller is worse.
const CRITICAL: u8 = 2;
/// The syslog priority "informational"; only "debug" is less.
const INFORMATIONAL: u8 = 6;

/// What a message reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Greater than 0, at most 1; [`FAULT`] or more is a failure.
    pub severity: f32,
    /// What is failing.
    pub family: Family,
    /// Why: the phrases that were found.
    pub reason: String,
}

/// Adjusts `finding` by the record's priority (syslog severity, 0 for emergency to 7 for debug).
///
/// "Critical" and worse raise a weak finding, "informational" and "debug" lower it. A strong finding is unchanged, because some
/// failures are logged as information. A priority alone never creates a finding.
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
    fn a_priority_alone_is_no_finding() {
        for priority in 0..=7 {
            assert_eq!(with_priority(None, Some(priority)), None);
        }
        assert_eq!(severity(0.4, None), 0.4);
    }
}

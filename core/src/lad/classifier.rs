//! What records report: the inference, and the context of a report.
//!
//! A report is what one source says within a few seconds: an oops with its trace, a hardware error with its severity in a later
//! line. A finding may be tentative; then the event waits for the rest of the report, which may explain it. The record itself never
//! waits.

use std::fs;
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::Arc;

use rustc_hash::FxHasher;
use smallvec::SmallVec;

use super::options::LadOptions;
use super::record::Record;
use crate::inference::{FailureSubject, Inference, Lexicon, Message, Reading};
use crate::options::OptionError;

/// Lines of one source belong to one report if they are at most so many seconds apart.
pub(super) const REPORT_GAP_SEC: f64 = 5.0;
/// A report lasts at most so many seconds.
pub(super) const REPORT_MAX_SEC: f64 = 15.0;
/// Number of explanations that a stream remembers at a time.
const PARDONS_MAX: usize = 4;

/// An inference that several detectors can share.
pub type SharedInference = Arc<dyn Inference + Send + Sync>;

/// The reading of a record.
pub(super) fn read(inference: &SharedInference, record: &Record<'_>) -> Reading {
    inference.read(&Message {
        text: record.text,
        template: "",
        program: record.source.program,
        unit: record.source.unit,
        transport: record.source.transport,
        priority: record.priority,
    })
}

/// Identifies the source of a record within its stream.
pub(super) fn speaker(record: &Record<'_>) -> u64 {
    let program = record.source.program;
    let name = &program[..program
        .iter()
        .position(|&b| b == b'[')
        .unwrap_or(program.len())];
    BuildHasherDefault::<FxHasher>::default().hash_one((name, record.source.transport))
}

/// An explanation of what a source reports.
#[derive(Debug, Clone, PartialEq)]
struct Pardon {
    speaker: u64,
    up_to: f32,
    subject: Option<FailureSubject>,
    /// When the report ends, in seconds.
    until: f64,
}

/// The latest explanations in a stream.
#[derive(Debug, Default)]
pub(super) struct Pardons(SmallVec<[Pardon; PARDONS_MAX]>);

impl Pardons {
    /// Adds what a record explains.
    pub(super) fn add(&mut self, speaker: u64, reading: &Reading, time: f64) {
        if reading.pardon <= 0.0 {
            return;
        }
        self.0.retain(|pardon| pardon.until > time);
        if self.0.len() == PARDONS_MAX {
            self.0.remove(0);
        }
        self.0.push(Pardon {
            speaker,
            up_to: reading.pardon,
            subject: reading.pardoned.clone(),
            until: time + REPORT_GAP_SEC,
        });
    }

    /// Whether an earlier line of the same report explains a finding of this severity about this subject.
    pub(super) fn explain(
        &self,
        speaker: u64,
        severity: f32,
        subject: Option<&FailureSubject>,
        time: f64,
    ) -> bool {
        self.0.iter().any(|pardon| {
            pardon.speaker == speaker
                && severity <= pardon.up_to
                && time <= pardon.until
                && same_subject(pardon.subject.as_ref(), subject)
        })
    }
}

/// Whether an explanation about `pardoned` holds for a finding about `found`.
pub(super) fn same_subject(
    pardoned: Option<&FailureSubject>,
    found: Option<&FailureSubject>,
) -> bool {
    match (pardoned, found) {
        (Some(pardoned), Some(found)) => pardoned == found,
        _ => true,
    }
}

/// The inference that `options` select: the lexicon, extended by a site's own file, which is read now.
///
/// # Errors
/// A site's lexicon that cannot be read or is not well-formed.
pub fn inference(options: &LadOptions) -> Result<SharedInference, OptionError> {
    let refused = |why: String| OptionError::Value {
        name: "lexicon",
        value: options.lexicon.clone(),
        allowed: format!("the path of a lexicon, but {why}"),
        unit: "",
    };
    if options.lexicon.is_empty() {
        return Ok(Lexicon::builtin().clone());
    }
    let text = fs::read_to_string(&options.lexicon).map_err(|error| refused(error.to_string()))?;
    let lexicon = Lexicon::with_site_file(&text).map_err(|error| refused(error.to_string()))?;
    Ok(Arc::new(lexicon))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lexicon_that_is_missing_or_malformed_is_named() {
        let mut options = LadOptions::default();
        options.set("lexicon", "/nonexistent/lexicon").unwrap();
        let Err(error) = inference(&options) else {
            panic!("there is no such file")
        };
        assert!(
            error.to_string().contains("/nonexistent/lexicon"),
            "{error}"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lexicon");
        fs::write(&path, "[storage]\nmuch noise\n").unwrap();
        options.set("lexicon", path.to_str().unwrap()).unwrap();
        let Err(error) = inference(&options) else {
            panic!("a line in it has no weight")
        };
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    fn pardon(up_to: f32, subject: Option<&str>) -> Reading {
        Reading {
            pardon: up_to,
            pardoned: subject.map(|name| FailureSubject::Device(name.into())),
            ..Reading::default()
        }
    }

    #[test]
    fn an_explanation_holds_for_its_source_its_subject_and_a_few_seconds() {
        let mut pardons = Pardons::default();
        pardons.add(1, &pardon(0.9, Some("sda")), 100.0);
        let sda = FailureSubject::Device("sda".into());
        let sdb = FailureSubject::Device("sdb".into());
        assert!(pardons.explain(1, 0.9, Some(&sda), 104.0));
        assert!(pardons.explain(1, 0.9, None, 104.0));
        assert!(!pardons.explain(1, 0.9, Some(&sdb), 104.0));
        assert!(!pardons.explain(2, 0.9, Some(&sda), 104.0));
        assert!(!pardons.explain(1, 0.95, Some(&sda), 104.0));
        assert!(!pardons.explain(1, 0.9, Some(&sda), 106.0));
    }

    #[test]
    fn only_the_latest_explanations_are_remembered() {
        let mut pardons = Pardons::default();
        for speaker in 0..100 {
            pardons.add(speaker, &pardon(0.9, None), 100.0);
        }
        assert_eq!(pardons.0.len(), PARDONS_MAX);
        assert!(pardons.explain(99, 0.9, None, 101.0));
        assert!(!pardons.explain(0, 0.9, None, 101.0));
    }
}

//! The tables: how often each state of each source was seen before a failure, and how often without one.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use super::source::{LEVELS_MAX, SOURCES, Source, SourceState};

/// The version of the tables' file.
pub const TABLES_VERSION: u32 = 1;
/// Maximum size of a file with tables in bytes.
pub const TABLES_MAX_BYTES: u64 = 1 << 20;
/// Added to each count (Laplace), so that a state that was never seen is not impossible.
const SMOOTHING: f64 = 1.0;
/// The largest count: sums of counts stay exact.
const COUNT_MAX: f64 = 1e15;

/// A horizon: how far ahead the probability looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Horizon {
    /// 10 minutes.
    Ten,
    /// 30 minutes.
    Thirty,
}

impl Horizon {
    /// Both, the shorter one first.
    pub const ALL: [Self; 2] = [Self::Ten, Self::Thirty];

    /// Its length in minutes.
    pub const fn minutes(self) -> u32 {
        match self {
            Self::Ten => 10,
            Self::Thirty => 30,
        }
    }
}

/// Number of horizons.
pub(super) const HORIZONS: usize = Horizon::ALL.len();

/// The counts of the states of one source: numbers of minutes of hosts in this state, in the order of [`Source::states`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// In minutes that a failure followed within the horizon.
    pub failing: Vec<f64>,
    /// In minutes of a fault that a failure followed later than that.
    pub later: Vec<f64>,
    /// In all other minutes.
    pub healthy: Vec<f64>,
}

/// The counts of all sources for one horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HorizonCounts {
    /// The length of the horizon in minutes: 10 or 30.
    pub minutes: u32,
    /// Of [`Source::Log`].
    pub log: Counts,
    /// Of [`Source::Had`].
    pub had: Counts,
    /// Of [`Source::Resource`].
    pub resource: Counts,
    /// Of [`Source::Novelty`].
    pub novelty: Counts,
}

impl HorizonCounts {
    /// The counts of a source.
    pub fn of(&self, source: Source) -> &Counts {
        match source {
            Source::Log => &self.log,
            Source::Had => &self.had,
            Source::Resource => &self.resource,
            Source::Novelty => &self.novelty,
        }
    }
}

/// The content of a file with tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablesFile {
    /// [`TABLES_VERSION`].
    pub version: u32,
    /// The command that made it, and from what.
    pub made_by: String,
    /// One entry for each of [`Horizon::ALL`].
    pub horizons: Vec<HorizonCounts>,
}

/// Why a text is not a file with tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TablesError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// It is larger than any such file.
    #[error("it has more than {TABLES_MAX_BYTES} bytes")]
    Large,
    /// It is not JSON of the right form.
    #[error("it is not a file with tables: {0}")]
    Malformed(String),
    /// It has an unsupported version.
    #[error("it has version {0}; this library reads version {TABLES_VERSION}")]
    Version(u32),
    /// The horizons are not the right ones.
    #[error("it has the horizons {0:?}; it needs exactly [10, 30]")]
    Horizons(Vec<u32>),
    /// A source has a wrong number of counts.
    #[error(
        "{source_name} ({minutes} minutes, {side}) has {found} counts; its states are {states}"
    )]
    Length {
        /// The name of the source.
        source_name: &'static str,
        /// The horizon in minutes.
        minutes: u32,
        /// "failing", "later" or "healthy".
        side: &'static str,
        /// The number of counts that it has.
        found: usize,
        /// The states, separated by commas.
        states: String,
    },
    /// A count is not a count.
    #[error(
        "{source_name} ({minutes} minutes, {side}) has the count {found}; a count is a number from 0 to 1e15"
    )]
    Count {
        /// The name of the source.
        source_name: &'static str,
        /// The horizon in minutes.
        minutes: u32,
        /// "failing", "later" or "healthy".
        side: &'static str,
        /// The number.
        found: String,
    },
}

/// One number for each horizon, source and state.
type ByState = [[[f64; LEVELS_MAX]; SOURCES]; HORIZONS];

/// The evidence of all states, in nats.
#[derive(Clone, PartialEq)]
pub struct Tables {
    /// ln(P(state before a failure) / P(state otherwise)).
    alone: ByState,
    /// ln(P(state before a failure) / P(state without a fault)).
    against_none: ByState,
    /// ln(P(state before a failure) / P(state of a fault that fails later)).
    against_later: ByState,
    /// Number of minutes of a fault that fails later for each minute before a failure.
    later: [f64; HORIZONS],
    made_by: String,
}

/// Evidence of several sources that a failure follows within the horizon: against that there is no fault, and against that it follows
/// later. It adds up, as the sources are independent once it is known which of the three is the case.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Joint {
    against_none: f64,
    against_later: f64,
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables")
            .field("made_by", &self.made_by)
            .finish_non_exhaustive()
    }
}

/// Tables that several detectors share.
pub type SharedTables = Arc<Tables>;

impl Tables {
    /// The tables that are part of this library.
    pub fn builtin() -> &'static SharedTables {
        static TABLES: LazyLock<SharedTables> = LazyLock::new(|| {
            let tables = Tables::from_json(include_str!("data/tables.json"));
            Arc::new(tables.expect("a test reads the tables of this library"))
        });
        &TABLES
    }

    /// The tables in a text of JSON ([`TablesFile`]).
    ///
    /// # Errors
    /// [`TablesError`], which says what is wrong where.
    pub fn from_json(json: &str) -> Result<Self, TablesError> {
        let file = serde_json::from_str(json);
        Self::new(&file.map_err(|error| TablesError::Malformed(error.to_string()))?)
    }

    /// The tables in the file at `path`.
    ///
    /// # Errors
    /// [`TablesError`], which says what is wrong where.
    pub fn read(path: &Path) -> Result<Self, TablesError> {
        let unreadable = |error: std::io::Error| TablesError::Unreadable(error.to_string());
        let mut text = String::new();
        let file = File::open(path).map_err(unreadable)?;
        let read = file.take(TABLES_MAX_BYTES + 1).read_to_string(&mut text);
        if read.map_err(unreadable)? as u64 > TABLES_MAX_BYTES {
            return Err(TablesError::Large);
        }
        Self::from_json(&text)
    }

    /// The tables of these counts, smoothed by one observation of each state.
    ///
    /// # Errors
    /// [`TablesError`], which says what is wrong where.
    pub fn new(file: &TablesFile) -> Result<Self, TablesError> {
        if file.version != TABLES_VERSION {
            return Err(TablesError::Version(file.version));
        }
        let wanted = Horizon::ALL.map(Horizon::minutes);
        let found: Vec<u32> = file.horizons.iter().map(|h| h.minutes).collect();
        if found != wanted {
            return Err(TablesError::Horizons(found));
        }
        let nothing = [[[0.0; LEVELS_MAX]; SOURCES]; HORIZONS];
        let mut tables = Self {
            alone: nothing,
            against_none: nothing,
            against_later: nothing,
            later: [0.0; HORIZONS],
            made_by: file.made_by.clone(),
        };
        for (h, counts) in file.horizons.iter().enumerate() {
            for (s, &source) in Source::ALL.iter().enumerate() {
                let of = counts.of(source);
                let shares = |side, of: &[f64]| shares(source, counts.minutes, side, of);
                let failing = shares("failing", &of.failing)?;
                let later = shares("later", &of.later)?;
                let healthy = shares("healthy", &of.healthy)?;
                let others: Vec<f64> = of
                    .later
                    .iter()
                    .zip(&of.healthy)
                    .map(|(l, h)| l + h)
                    .collect();
                let others = shares("healthy", &others)?;
                for (level, failing) in failing.iter().enumerate() {
                    tables.alone[h][s][level] = libm::log(failing / others[level]);
                    tables.against_none[h][s][level] = libm::log(failing / healthy[level]);
                    tables.against_later[h][s][level] = libm::log(failing / later[level]);
                }
            }
            let sum = |counts: &[f64]| counts.iter().sum::<f64>();
            tables.later[h] = sum(&counts.log.later) / sum(&counts.log.failing).max(1.0);
        }
        Ok(tables)
    }

    /// The evidence of a state by itself: its log-likelihood ratio in nats; 0 if it is unknown.
    #[inline]
    pub fn evidence(&self, horizon: Horizon, state: SourceState) -> f64 {
        state.level().map_or(0.0, |level| {
            self.alone[horizon as usize][state.source() as usize][level]
        })
    }

    /// Adds the evidence of a state to that of other sources; nothing if it is unknown.
    #[inline]
    pub fn join(&self, horizon: Horizon, state: SourceState, joint: &mut Joint) {
        if let Some(level) = state.level() {
            let (h, s) = (horizon as usize, state.source() as usize);
            joint.against_none += self.against_none[h][s][level];
            joint.against_later += self.against_later[h][s][level];
        }
    }

    /// The joint evidence in nats: by how much the logarithm of the odds is above `prior`, that of the odds without evidence.
    ///
    /// With F for a failure within the horizon, L for a fault that fails later and N for none, and N/F = 1/odds - L/F, Bayes' rule gives
    /// the odds of F as 1 / ((N/F) exp(-evidence against N) + (L/F) exp(-evidence against L)).
    #[inline]
    pub fn joined(&self, horizon: Horizon, prior: f64, joint: &Joint) -> f64 {
        let later = self.later[horizon as usize];
        // A rate at which nearly all time is that of a fault.
        let none = (libm::exp(-prior) - later).max(0.0);
        let others =
            none * libm::exp(-joint.against_none) + later * libm::exp(-joint.against_later);
        -libm::log(others.max(f64::MIN_POSITIVE)) - prior
    }

    /// The command that made them, and from what.
    pub fn made_by(&self) -> &str {
        &self.made_by
    }

    /// Identifies what the evidence of states is.
    pub(super) fn fingerprint(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let all = [&self.against_none, &self.against_later];
        let all = all
            .iter()
            .flat_map(|by_state| by_state.as_flattened().as_flattened());
        for number in all.chain(&self.later) {
            hasher.update(&number.to_le_bytes());
        }
        hasher.finalize()
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        crate::memory::allocation(self.made_by.capacity())
    }
}

/// The smoothed shares of the states.
fn shares(
    source: Source,
    minutes: u32,
    side: &'static str,
    counts: &[f64],
) -> Result<Vec<f64>, TablesError> {
    let source_name = source.name();
    if counts.len() != source.states().len() {
        return Err(TablesError::Length {
            source_name,
            minutes,
            side,
            found: counts.len(),
            states: source.states().join(", "),
        });
    }
    if let Some(wrong) = counts.iter().find(|c| !(0.0..=COUNT_MAX).contains(*c)) {
        return Err(TablesError::Count {
            source_name,
            minutes,
            side,
            found: wrong.to_string(),
        });
    }
    let total: f64 = counts.iter().map(|count| count + SMOOTHING).sum();
    Ok(counts.iter().map(|c| (c + SMOOTHING) / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TablesFile {
        serde_json::from_str(include_str!("data/tables.json")).unwrap()
    }

    #[test]
    fn the_tables_of_this_library_are_ordered_from_quiet_to_severe() {
        let tables = Tables::builtin();
        for horizon in Horizon::ALL {
            for source in [Source::Log, Source::Resource, Source::Novelty] {
                let evidence = |level| {
                    let state = SourceState::new(source, level).unwrap();
                    tables.evidence(horizon, state)
                };
                assert!(evidence(0) < 0.0, "{source:?}");
                for level in 1..source.states().len() {
                    assert!(evidence(level) > evidence(level - 1), "{source:?} {level}");
                }
            }
            let had =
                |age, provisional| tables.evidence(horizon, SourceState::had(age, provisional));
            assert!(had(None, false) < 0.0);
            assert!(had(Some(60.0), false) > had(Some(60.0), true));
        }
        assert!(!tables.made_by().is_empty());
    }

    #[test]
    fn an_unknown_source_contributes_nothing() {
        for &source in Source::ALL {
            let unknown = SourceState::unknown(source);
            assert_eq!(Tables::builtin().evidence(Horizon::Ten, unknown), 0.0);
        }
    }

    #[test]
    fn together_two_sources_that_show_the_fault_do_not_say_when_it_fails() {
        let counts = |failing: [f64; 5], later: [f64; 5], healthy: [f64; 5]| Counts {
            failing: failing.into(),
            later: later.into(),
            healthy: healthy.into(),
        };
        let mut file = file();
        let ten = &mut file.horizons[0];
        // Both states are rare without a fault, and as frequent early in one as before the failure.
        ten.log = counts(
            [100.0, 0.0, 0.0, 900.0, 0.0],
            [100.0, 0.0, 0.0, 900.0, 0.0],
            [1e7, 0.0, 0.0, 1e3, 0.0],
        );
        ten.had = counts(
            [500.0, 0.0, 500.0, 0.0, 0.0],
            [500.0, 0.0, 500.0, 0.0, 0.0],
            [1e7, 0.0, 1e3, 0.0, 0.0],
        );
        let tables = Tables::new(&file).unwrap();
        let prior = -9.0;
        let risk = |states: &[SourceState]| {
            let mut joint = Joint::default();
            for state in states {
                tables.join(Horizon::Ten, *state, &mut joint);
            }
            let log_odds = prior + tables.joined(Horizon::Ten, prior, &joint);
            1.0 / (1.0 + libm::exp(-log_odds))
        };
        let (log, had) = (SourceState::log(5), SourceState::had(Some(60.0), false));
        let quiet = SourceState::log(0);
        assert!(risk(&[quiet]) < 1e-4);
        assert!((0.3..0.5).contains(&risk(&[log])), "{}", risk(&[log]));
        let both = risk(&[log, had]);
        assert!((both - 0.5).abs() < 0.01, "{both}");
        // Without evidence, the prior.
        assert!((risk(&[]) / libm::exp(prior) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_state_that_was_never_seen_is_not_impossible() {
        let mut file = file();
        file.horizons[0].novelty = Counts {
            failing: vec![8.0, 0.0, 0.0],
            later: vec![0.0; 3],
            healthy: vec![96.0, 1.0, 0.0],
        };
        let tables = Tables::new(&file).unwrap();
        let several = tables.evidence(Horizon::Ten, SourceState::novelty(2));
        assert!((several - libm::log((1.0 / 11.0) / (1.0 / 100.0))).abs() < 1e-12);
    }

    #[test]
    fn tables_that_cannot_be_used_are_refused_with_the_place_of_the_mistake() {
        let refused = |change: &dyn Fn(&mut TablesFile)| {
            let mut file = file();
            change(&mut file);
            Tables::new(&file).unwrap_err().to_string()
        };
        let error = refused(&|f| f.version = 2);
        assert!(error.contains("version 2"), "{error}");
        let error = refused(&|f| f.horizons[1].minutes = 60);
        assert!(error.contains("[10, 60]"), "{error}");
        let error = refused(&|f| f.horizons[0].had.healthy.truncate(2));
        assert!(
            error.contains("had (10 minutes, healthy) has 2 counts"),
            "{error}"
        );
        for count in [f64::NAN, -1.0, f64::INFINITY, 2e15] {
            let error = refused(&|f| f.horizons[1].log.failing[3] = count);
            assert!(error.contains("log (30 minutes, failing)"), "{error}");
        }
        let error = refused(&|f| f.horizons[0].had.later.clear());
        assert!(
            error.contains("had (10 minutes, later) has 0 counts"),
            "{error}"
        );
        let error = Tables::from_json("{}").unwrap_err().to_string();
        assert!(error.contains("version"), "{error}");
    }

    #[test]
    fn a_file_that_is_missing_or_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tables.json");
        assert!(matches!(
            Tables::read(&path),
            Err(TablesError::Unreadable(_))
        ));
        std::fs::write(&path, vec![b' '; TABLES_MAX_BYTES as usize + 1]).unwrap();
        assert_eq!(Tables::read(&path), Err(TablesError::Large));
        std::fs::write(&path, include_str!("data/tables.json")).unwrap();
        assert_eq!(&Tables::read(&path).unwrap(), &**Tables::builtin());
    }
}

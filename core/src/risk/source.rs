//! Sources of evidence about a host, and the few states that each can be in.

/// Declares [`Source`]: each source with its name and the names of its states.
macro_rules! sources {
    ($($(#[$doc:meta])* $variant:ident = $name:literal [$($state:literal),+ $(,)?];)+) => {
        /// A source of evidence about a host.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Source { $($(#[$doc])* $variant),+ }

        impl Source {
            /// All sources, in the order of tables, statuses and texts.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in tables and texts.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The names of its states in tables, from quiet to severe.
            pub const fn states(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &[$($state),+]),+ }
            }
        }
    };
}

sources! {
    /// The host's log: in how many of its last 20 minutes it had lines that report a failure.
    Log = "log" ["none", "1 minute", "2 to 3 minutes", "4 to 9 minutes", "10 minutes and more"];
    /// The metrics of its guests: the age of the open incident of hypervisor anomaly detection. An incident that was raised before
    /// a day of the host was known is a state of its own.
    Had = "had" ["none", "provisional", "under 10 minutes", "10 to 30 minutes", "older"];
    /// The host's own resources: the conformal p-value of its last row.
    Resource = "resource" ["above 0.1", "0.1 to 0.01", "0.01 to 0.001", "0.001 and less"];
    /// Templates of its log within the last 20 minutes that are new to the fleet.
    Novelty = "novelty" ["none", "1 template", "2 templates and more"];
}

/// Number of sources.
pub(super) const SOURCES: usize = Source::ALL.len();

/// The largest number of states that a source has.
pub(super) const LEVELS_MAX: usize = {
    let (mut at, mut most) = (0, 0);
    while at < SOURCES {
        let states = Source::ALL[at].states().len();
        most = if states > most { states } else { most };
        at += 1;
    }
    most
};

/// Minutes of the log that count, for [`Source::Log`] and [`Source::Novelty`].
pub const LOG_MINUTES: u32 = crate::lad::SIGNS_MINUTES;

/// The state of one source, or that it is unknown: absent, too old, or without a meaning. An unknown state contributes nothing.
///
/// ```
/// use bellwether_core::risk::{Source, SourceState};
///
/// assert_eq!(SourceState::log(3).name(), Some("2 to 3 minutes"));
/// assert_eq!(SourceState::had(Some(700.0), false).level(), Some(3));
/// assert_eq!(SourceState::resource(f64::NAN), SourceState::unknown(Source::Resource));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceState {
    source: Source,
    level: Option<u8>,
}

impl SourceState {
    /// The source is unknown.
    pub const fn unknown(source: Source) -> Self {
        Self {
            source,
            level: None,
        }
    }

    /// The state with this index in [`Source::states`]; `None` if there is no such state.
    pub fn new(source: Source, level: usize) -> Option<Self> {
        let level = u8::try_from(level)
            .ok()
            .filter(|_| level < source.states().len())?;
        Some(Self {
            source,
            level: Some(level),
        })
    }

    const fn known(source: Source, level: u8) -> Self {
        Self {
            source,
            level: Some(level),
        }
    }

    /// The log has lines that report a failure in this many of its last [`LOG_MINUTES`] minutes.
    pub const fn log(minutes: u32) -> Self {
        let level = match minutes {
            0 => 0,
            1 => 1,
            2..=3 => 2,
            4..=9 => 3,
            _ => 4,
        };
        Self::known(Source::Log, level)
    }

    /// The oldest open incident of the host was raised this many seconds ago; `None` means that none is open. `provisional`: it
    /// was raised before a day of the host was known. Unknown if the age is NaN; a negative age, of clocks that differ, is 0.
    pub fn had(age_sec: Option<f64>, provisional: bool) -> Self {
        let level = match age_sec {
            None => 0,
            Some(age) if age.is_nan() => return Self::unknown(Source::Had),
            Some(_) if provisional => 1,
            Some(age) if age < 600.0 => 2,
            Some(age) if age < 1800.0 => 3,
            Some(_) => 4,
        };
        Self::known(Source::Had, level)
    }

    /// The host's resources have this conformal p-value, 0 to 1. Unknown if it is no such number.
    pub fn resource(p_value: f64) -> Self {
        let level = match p_value {
            p if !(0.0..=1.0).contains(&p) => return Self::unknown(Source::Resource),
            p if p > 0.1 => 0,
            p if p > 0.01 => 1,
            p if p > 0.001 => 2,
            _ => 3,
        };
        Self::known(Source::Resource, level)
    }

    /// The log has this many templates within the last [`LOG_MINUTES`] minutes that are new to the fleet.
    pub const fn novelty(templates: u32) -> Self {
        let level = match templates {
            0 => 0,
            1 => 1,
            _ => 2,
        };
        Self::known(Source::Novelty, level)
    }

    /// The state of a source by its measure: minutes ([`Self::log`]), seconds, negative if no incident is open ([`Self::had`]), a
    /// p-value ([`Self::resource`]) or a number of templates ([`Self::novelty`]). Unknown if the measure is none of these.
    pub fn measured(source: Source, measure: f64, provisional: bool) -> Self {
        let count = || (measure >= 0.0).then(|| measure.min(1e9) as u32);
        match source {
            Source::Log => count().map(Self::log),
            Source::Had if measure < 0.0 => Some(Self::had(None, false)),
            Source::Had => Some(Self::had(Some(measure), provisional)),
            Source::Resource => Some(Self::resource(measure)),
            Source::Novelty => count().map(Self::novelty),
        }
        .unwrap_or(Self::unknown(source))
    }

    /// The source.
    pub const fn source(self) -> Source {
        self.source
    }

    /// The index of the state in [`Source::states`]; `None` if unknown.
    pub fn level(self) -> Option<usize> {
        self.level.map(usize::from)
    }

    /// The name of the state; `None` if unknown.
    pub fn name(self) -> Option<&'static str> {
        self.level().map(|level| self.source.states()[level])
    }

    /// The state in words, for a message.
    pub(super) fn in_words(self) -> &'static str {
        let Some(level) = self.level else {
            return "unknown";
        };
        match (self.source, level) {
            (Source::Log, 0) => "no failure lines in 20 minutes",
            (Source::Log, 1) => "failure lines in 1 of the last 20 minutes",
            (Source::Log, 2) => "failure lines in 2 to 3 of the last 20 minutes",
            (Source::Log, 3) => "failure lines in 4 to 9 of the last 20 minutes",
            (Source::Log, _) => "failure lines in at least 10 of the last 20 minutes",
            (Source::Had, 0) => "no anomaly of its guests",
            (Source::Had, 1) => "provisional anomaly of its guests",
            (Source::Had, 2) => "anomaly of its guests for less than 10 minutes",
            (Source::Had, 3) => "anomaly of its guests for 10 to 30 minutes",
            (Source::Had, _) => "anomaly of its guests for more than 30 minutes",
            (Source::Resource, 0) => "resources as usual",
            (Source::Resource, 1) => "resources slightly unusual (p <= 0.1)",
            (Source::Resource, 2) => "resources unusual (p <= 0.01)",
            (Source::Resource, _) => "resources very unusual (p <= 0.001)",
            (Source::Novelty, 0) => "no log message new to the fleet",
            (Source::Novelty, 1) => "1 log message new to the fleet",
            (Source::Novelty, _) => "several log messages new to the fleet",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(states: impl IntoIterator<Item = SourceState>) -> Vec<Option<usize>> {
        states.into_iter().map(SourceState::level).collect()
    }

    #[test]
    fn each_measure_falls_into_the_state_whose_bounds_contain_it() {
        let log = [0, 1, 2, 3, 4, 9, 10, 20, u32::MAX].map(SourceState::log);
        let expected = [0, 1, 2, 2, 3, 3, 4, 4, 4].map(Some);
        assert_eq!(levels(log), expected);
        let had = [-5.0, 0.0, 599.9, 600.0, 1799.0, 1800.0, f64::INFINITY]
            .map(|age| SourceState::had(Some(age), false));
        assert_eq!(levels(had), [2, 2, 2, 3, 3, 4, 4].map(Some));
        assert_eq!(SourceState::had(None, true).level(), Some(0));
        assert_eq!(SourceState::had(Some(9e9), true).level(), Some(1));
        let resource = [1.0, 0.11, 0.1, 0.011, 0.01, 0.001, 0.0].map(SourceState::resource);
        assert_eq!(levels(resource), [0, 0, 1, 1, 2, 3, 3].map(Some));
        let novelty = [0, 1, 2, u32::MAX].map(SourceState::novelty);
        assert_eq!(levels(novelty), [0, 1, 2, 2].map(Some));
    }

    #[test]
    fn a_measure_without_a_meaning_is_unknown_and_never_quiet() {
        for p in [f64::NAN, -0.1, 1.1, f64::INFINITY] {
            assert_eq!(SourceState::resource(p).level(), None);
        }
        assert_eq!(SourceState::had(Some(f64::NAN), false).level(), None);
    }

    #[test]
    fn a_measure_is_read_by_its_source_and_nan_is_unknown() {
        let measured = |source, measure| SourceState::measured(source, measure, false);
        assert_eq!(measured(Source::Log, 3.0), SourceState::log(3));
        assert_eq!(measured(Source::Novelty, 1e300), SourceState::novelty(9));
        assert_eq!(measured(Source::Had, -1.0), SourceState::had(None, false));
        assert_eq!(
            measured(Source::Had, 9.0),
            SourceState::had(Some(9.0), false)
        );
        let provisional = SourceState::measured(Source::Had, 9.0, true);
        assert_eq!(provisional, SourceState::had(Some(9.0), true));
        for &source in Source::ALL {
            assert_eq!(measured(source, f64::NAN), SourceState::unknown(source));
        }
        assert_eq!(measured(Source::Log, -1.0).level(), None);
    }

    #[test]
    fn every_state_of_every_source_has_words_of_its_own() {
        let mut words = Vec::new();
        for &source in Source::ALL {
            for level in 0..source.states().len() {
                words.push(SourceState::new(source, level).unwrap().in_words());
            }
            assert_eq!(SourceState::new(source, source.states().len()), None);
        }
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }
}

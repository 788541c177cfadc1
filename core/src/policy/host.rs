//! What is known about one host.

use serde::{Deserialize, Serialize};

use super::input::{Finding, SuggestionId};
use super::record::{Record, Terms};
use super::terms::{EvidenceKind, Health, Origin, Rule};
use crate::event::{IncidentId, State};
use crate::inference::Family;

/// Maximum number of conditions of a host that are remembered.
pub(super) const RECORDS_MAX: usize = 32;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// It counts.
    New,
    /// It says nothing new, or comes after the end of its condition.
    Known,
    /// The host has [`RECORDS_MAX`] conditions that are more important.
    Full,
}

/// What the evidence about a host amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Assessment {
    pub(super) health: Health,
    pub(super) rule: Rule,
    /// 0 without trusted evidence against the host, 1 with some, 2 if it is red: what counts for its groups.
    pub(super) level: u8,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Host {
    pub(super) records: Vec<Record>,
    pub(super) health: Health,
    /// As in [`Assessment`].
    pub(super) level: u8,
    /// When the last evidence was received.
    pub(super) heard: f64,
    /// Nothing is suggested before this time.
    pub(super) quiet_until: f64,
    /// When a spent condition began that is not remembered any more; one that began by then counts as spent.
    spent_until: f64,
    pub(super) suggestion: Option<SuggestionId>,
    /// The last risk, and when it was received.
    pub(super) risk: Option<(f64, f64)>,
}

impl Host {
    /// A host without evidence.
    pub(super) fn new(now: f64) -> Self {
        Self {
            heard: now,
            quiet_until: f64::NEG_INFINITY,
            spent_until: f64::NEG_INFINITY,
            ..Self::default()
        }
    }

    /// Takes a report.
    pub(super) fn take(&mut self, finding: &Finding, now: f64, terms: &Terms) -> Taken {
        self.heard = now;
        let mut records = self.records.iter_mut();
        if let Some(record) = records.find(|record| record.incident == finding.incident) {
            return match record.update(finding) {
                true => Taken::New,
                false => Taken::Known,
            };
        }
        let mut record = Record::new(finding);
        record.spent = record.since <= self.spent_until;
        if !record.stands(now, terms) || finding.state == State::Cleared {
            return Taken::Known;
        }
        if self.records.len() >= RECORDS_MAX {
            let least = |record: &Record| (record.importance(now, terms), record.last());
            let records = self.records.iter().enumerate();
            let victim = records.min_by(|(_, a), (_, b)| {
                let ((a, of_a), (b, of_b)) = (least(a), least(b));
                a.cmp(&b).then(of_a.total_cmp(&of_b))
            });
            match victim.map(|(at, victim)| (at, victim.importance(now, terms))) {
                Some((at, importance)) if importance <= record.importance(now, terms) => {
                    let victim = self.records.remove(at);
                    self.forget(&victim);
                }
                _ => return Taken::Full,
            }
        }
        self.records.push(record);
        Taken::New
    }

    fn forget(&mut self, record: &Record) {
        if record.spent || record.decided {
            self.spent_until = self.spent_until.max(record.since);
        }
    }

    /// Forgets conditions that are long over.
    pub(super) fn prune(&mut self, now: f64, terms: &Terms) {
        if self.records.iter().all(|record| record.is_kept(now, terms)) {
            return;
        }
        for record in std::mem::take(&mut self.records) {
            match record.is_kept(now, terms) {
                true => self.records.push(record),
                false => self.forget(&record),
            }
        }
    }

    /// The rule by which conditions that `may` count suffice for an evacuation.
    fn sufficient(
        &self,
        families: &[Family],
        window_sec: f64,
        may: impl Fn(&Record) -> bool,
    ) -> Option<Rule> {
        let counts = |record: &&Record| record.counts() && may(record);
        let records = self.records.iter().filter(counts);
        let of_family = |record: &Record| {
            let family = record.family.filter(|_| record.kind == EvidenceKind::Log);
            family.is_some_and(|family| families.contains(&family))
        };
        if records.clone().any(of_family) {
            return Some(Rule::LogFamily);
        }
        let agrees = |a: &Record| records.clone().any(|b| a.agrees(b, window_sec));
        records.clone().any(agrees).then_some(Rule::TwoKinds)
    }

    /// What all evidence about the host amounts to, acted upon or not.
    pub(super) fn assess(&self, families: &[Family], now: f64, terms: &Terms) -> Assessment {
        let stands = |record: &Record| record.stands(now, terms);
        if let Some(rule) = self.sufficient(families, terms.window_sec, stands) {
            return Assessment {
                health: Health::Red,
                rule,
                level: 2,
            };
        }
        let against = |record: &&Record| stands(record) && record.concerns();
        let mut against = self.records.iter().filter(against).peekable();
        if against.peek().is_none() {
            return Assessment {
                health: Health::Green,
                rule: Rule::NoEvidence,
                level: 0,
            };
        }
        Assessment {
            health: Health::Yellow,
            rule: Rule::Insufficient,
            level: u8::from(against.any(|record| record.trusted)),
        }
    }

    /// The rule by which evidence that no earlier suggestion has used up suffices for an evacuation.
    pub(super) fn unspent(&self, families: &[Family], now: f64, terms: &Terms) -> Option<Rule> {
        let may = |record: &Record| record.stands(now, terms) && !record.spent;
        self.sufficient(families, terms.window_sec, may)
    }

    /// The latest condition that can decide a suggestion, which it then has done.
    pub(super) fn decide(&mut self, now: f64, terms: &Terms) -> Option<IncidentId> {
        let may = |record: &&mut Record| {
            record.counts() && record.stands(now, terms) && !record.spent && !record.decided
        };
        let records = self.records.iter_mut().filter(may);
        let latest = records.max_by(|a, b| {
            let by_time = a.first.total_cmp(&b.first);
            by_time.then(a.incident.cmp(&b.incident))
        })?;
        latest.decided = true;
        Some(latest.incident)
    }

    /// Uses up all evidence that counts.
    pub(super) fn spend(&mut self) {
        let counting = self.records.iter_mut().filter(|record| record.counts());
        counting.for_each(|record| record.spent = true);
    }

    /// What stands against the host, in words, the latest last.
    pub(super) fn evidence(&self, now: f64, terms: &Terms) -> Vec<String> {
        let stands = |record: &&Record| record.stands(now, terms) && record.concerns();
        self.records
            .iter()
            .filter(stands)
            .map(Record::in_words)
            .collect()
    }

    /// The text of a condition that stands, has a known source and this origin.
    pub(super) fn trusted_of(&self, origin: Origin, now: f64, terms: &Terms) -> Option<&str> {
        let is_it = |record: &&Record| {
            record.trusted && record.origin == origin && record.stands(now, terms)
        };
        self.records
            .iter()
            .find(is_it)
            .map(|record| record.text.as_str())
    }

    /// Whether all its values are ones that it can have.
    pub(super) fn is_valid(&self) -> bool {
        let is_number = [self.heard, self.quiet_until, self.spent_until]
            .iter()
            .all(|x| !x.is_nan());
        let is_risk = self
            .risk
            .is_none_or(|(risk, at)| (0.0..=1.0).contains(&risk) && at.is_finite());
        is_number
            && is_risk
            && self.records.len() <= RECORDS_MAX
            && self.records.iter().all(Record::is_valid)
    }
}

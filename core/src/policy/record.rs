//! A condition about a host, as its reports describe it.

use serde::{Deserialize, Serialize};

use super::decision::REASON_MAX_BYTES;
use super::input::Finding;
use super::terms::{EvidenceKind, Origin};
use crate::event::{IncidentId, State};
use crate::inference::Family;
use crate::text::shortened;

/// How long conditions count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    /// The option `window_sec`.
    pub(super) window_sec: f64,
    /// The option `evidence_sec`.
    pub(super) evidence_sec: f64,
}

/// See the [module](self). Times are in seconds, by the clock of the reporter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) incident: IncidentId,
    pub(super) kind: EvidenceKind,
    pub(super) origin: Origin,
    pub(super) family: Option<Family>,
    /// When it began.
    pub(super) since: f64,
    /// The first and the last report that it is there.
    pub(super) first: f64,
    last: f64,
    provisional: bool,
    /// A report with a known source is enough: it alone would have raised it.
    pub(super) trusted: bool,
    ended: bool,
    retracted: bool,
    /// It decided a suggestion. It does not decide another one.
    pub(super) decided: bool,
    /// A suggestion that was carried out, dismissed or expired rested on it. It supports no other one.
    pub(super) spent: bool,
    pub(super) text: String,
}

impl Record {
    /// A condition that begins with this report.
    pub(super) fn new(finding: &Finding) -> Self {
        let reported = finding.reported.secs();
        Self {
            incident: finding.incident,
            kind: finding.kind,
            origin: finding.origin,
            family: finding.family,
            since: finding.since.secs(),
            first: reported,
            last: reported,
            provisional: finding.provisional,
            trusted: finding.trusted,
            ended: finding.state == State::Cleared,
            retracted: finding.retracted,
            decided: false,
            spent: false,
            text: shortened(&finding.text, REASON_MAX_BYTES),
        }
    }

    /// Takes a further report; `false` if it says nothing new: a condition that has ended does not begin again.
    pub(super) fn update(&mut self, finding: &Finding) -> bool {
        if self.ended {
            return false;
        }
        if finding.state == State::Cleared {
            (self.ended, self.retracted) = (true, finding.retracted);
            return true;
        }
        let reported = finding.reported.secs();
        // What anybody may have written changes nothing about what a known source reported.
        if reported < self.last || (self.trusted && !finding.trusted) {
            return false;
        }
        if finding.trusted && !self.trusted {
            self.first = reported;
        }
        self.last = reported;
        self.origin = finding.origin;
        self.family = finding.family;
        self.provisional = finding.provisional;
        self.trusted |= finding.trusted;
        self.text = shortened(&finding.text, REASON_MAX_BYTES);
        true
    }

    /// Whether it is there at `now`, or is evidence nevertheless: the end of a log failure says that no further lines came, which
    /// is no recovery.
    pub(super) fn stands(&self, now: f64, terms: &Terms) -> bool {
        let age = now - self.last;
        match self.ended {
            false => age <= terms.evidence_sec,
            true => self.kind == EvidenceKind::Log && !self.retracted && age <= terms.window_sec,
        }
    }

    /// Whether it is to be remembered at `now`, so that late reports of it are recognized.
    pub(super) fn is_kept(&self, now: f64, terms: &Terms) -> bool {
        now - self.last <= terms.evidence_sec
    }

    /// Whether it can support an evacuation: of the host itself, from a known source, and more than a hint.
    pub(super) fn counts(&self) -> bool {
        self.trusted
            && !self.provisional
            && self.origin == Origin::Host
            && self.kind != EvidenceKind::Risk
    }

    /// Whether it is anything against the host: a workload is not.
    pub(super) fn concerns(&self) -> bool {
        self.origin != Origin::Internal
    }

    /// Whether all its values are ones that it can have.
    pub(super) fn is_valid(&self) -> bool {
        self.since.is_finite()
            && self.first.is_finite()
            && self.first <= self.last
            && self.last.is_finite()
    }

    /// Whether it and another one are of two kinds, and their reports within `window_sec` of each other.
    pub(super) fn agrees(&self, other: &Self, window_sec: f64) -> bool {
        let apart = self.first.max(other.first) - self.last.min(other.last);
        self.kind != other.kind && apart <= window_sec
    }

    /// In which order records make way for others at a limit: the first one the soonest.
    pub(super) fn importance(&self, now: f64, terms: &Terms) -> (bool, bool, bool) {
        (
            self.stands(now, terms),
            self.counts() && !self.spent,
            self.trusted,
        )
    }

    /// The last report.
    pub(super) fn last(&self) -> f64 {
        self.last
    }

    /// What a person reads of it.
    pub(super) fn in_words(&self) -> String {
        let mut flaws = Vec::new();
        match self.origin {
            Origin::Host => {}
            Origin::Internal => flaws.push("from the guests themselves"),
            Origin::Silence => flaws.push("silence"),
            Origin::Fleet => flaws.push("of the whole fleet"),
        }
        if self.provisional {
            flaws.push("provisional");
        }
        if !self.trusted {
            flaws.push("its source is unknown");
        }
        let flaws = match flaws.is_empty() {
            true => String::new(),
            false => format!(" ({})", flaws.join(", ")),
        };
        let text = match self.text.is_empty() {
            true => "no details",
            false => &self.text,
        };
        shortened(
            &format!("{}{flaws}: {text}", self.kind.as_str()),
            REASON_MAX_BYTES,
        )
    }
}

//! What becomes of a suggestion: from its beginning to its end, every step a decision with its reasons.

use super::decision::{Decision, Outputs, REASON_MAX_BYTES, REASONS_MAX};
use super::engine::{Policy, Scope};
use super::input::{InputError, SuggestionId};
use super::state::SUGGESTIONS_MAX;
use super::suggestion::Suggestion;
use super::terms::{Action, Mode, Phase, Rule, Verdict};
use crate::text::{duration, shortened};
use crate::units::Time;

impl Policy {
    /// Writes a decision down.
    pub(super) fn decide(
        &mut self,
        id: Option<SuggestionId>,
        host: &str,
        action: Action,
        rule: Rule,
        reasons: Vec<String>,
        out: &mut Outputs,
    ) {
        self.state.decisions += 1;
        let incident = id
            .and_then(|id| self.state.suggestions.get(&id))
            .map(|s| s.incident);
        let reasons = reasons.iter().take(REASONS_MAX);
        out.decisions.push(Decision {
            number: self.state.decisions,
            time: Time::from_secs(self.state.now),
            id,
            host: host.to_owned(),
            incident,
            action,
            rule,
            reasons: reasons
                .map(|reason| shortened(reason, REASON_MAX_BYTES))
                .collect(),
        });
    }

    /// A rule by which evidence suffices or does not, in words.
    pub(super) fn in_words(&self, rule: Rule) -> String {
        match rule {
            Rule::TwoKinds => format!(
                "two kinds of evidence within {}",
                duration(self.options.window_sec)
            ),
            Rule::LogFamily => "a log failure of a family that suffices alone".into(),
            Rule::Insufficient => "evidence that does not suffice".into(),
            Rule::NoEvidence => "no evidence any more".into(),
            other => other.as_str().replace('_', " "),
        }
    }

    /// The rule of a suggestion and its evidence, in words.
    fn grounds(&self, suggestion: &Suggestion) -> Vec<String> {
        let host = &self.state.hosts[&suggestion.host];
        let mut grounds = vec![self.in_words(suggestion.rule)];
        grounds.extend(host.evidence(self.state.now, &self.terms));
        grounds
    }

    /// Makes a suggestion about a host without one, if new evidence suffices.
    pub(super) fn suggest(&mut self, name: &str, out: &mut Outputs) {
        let now = self.state.now;
        let is_full = self.state.suggestions.len() >= SUGGESTIONS_MAX;
        let Some(host) = self.state.hosts.get_mut(name) else {
            return;
        };
        let Some(rule) = host.unspent(&self.families, now, &self.terms) else {
            return;
        };
        if now < host.quiet_until {
            return;
        }
        if is_full {
            self.state.counters.suggestions_full += 1;
            return;
        }
        let Some(incident) = host.decide(now, &self.terms) else {
            return;
        };
        self.state.last_suggestion += 1;
        let id = SuggestionId(self.state.last_suggestion);
        host.suggestion = Some(id);
        let tripped = self
            .state
            .brake
            .tripped
            .as_ref()
            .map(|tripped| tripped.reason.clone());
        let phase = match self.options.mode {
            Mode::Auto if tripped.is_none() => Phase::Cleared,
            _ => Phase::Suggested,
        };
        let suggestion = Suggestion {
            host: name.into(),
            incident,
            rule,
            opened: now,
            phase,
            held: None,
            approved_by: None,
            started: None,
        };
        let mut reasons = self.grounds(&suggestion);
        self.state.suggestions.insert(id, suggestion);
        if phase == Phase::Cleared {
            return;
        }
        reasons.push(match (self.options.mode, tripped) {
            (Mode::Suggest, _) => {
                "the mode is \"suggest\": move the guests away by hand, or dismiss".into()
            }
            (_, Some(reason)) => {
                format!("the brake has tripped ({reason}): reset it, then approve or dismiss")
            }
            (_, None) => format!("approve or dismiss suggestion {id}"),
        });
        self.state.counters.suggested += 1;
        self.decide(Some(id), name, Action::Suggest, rule, reasons, out);
    }

    /// A person approves a suggestion.
    pub(super) fn approve(
        &mut self,
        id: SuggestionId,
        by: &str,
        out: &mut Outputs,
    ) -> Result<Scope, InputError> {
        let suggestion = self
            .state
            .suggestions
            .get(&id)
            .ok_or(InputError::NoSuggestion(id))?;
        let host = suggestion.host.clone();
        let wanted = match suggestion.phase {
            Phase::Running => "its evacuation has begun",
            Phase::Cleared if suggestion.approved_by.is_some() => {
                "it is approved, and starts when the rule that holds it allows it"
            }
            _ if self.options.mode == Mode::Suggest => return Err(InputError::OnlySuggests),
            // What waits to start by itself may be approved too: quiet hours then no longer hold it.
            Phase::Suggested | Phase::Cleared => {
                if let Some((rule, reason)) = self.barrier(suggestion) {
                    self.state.counters.approvals_refused += 1;
                    let reasons = vec![format!("approved by {by}, but {reason}")];
                    self.decide(Some(id), &host, Action::Refuse, rule, reasons, out);
                } else if let Some(suggestion) = self.state.suggestions.get_mut(&id) {
                    suggestion.phase = Phase::Cleared;
                    suggestion.approved_by = Some(by.to_owned());
                }
                return Ok(Scope::Host(host));
            }
        };
        Err(InputError::WrongPhase {
            id,
            phase: suggestion.phase,
            wanted,
        })
    }

    /// A person dismisses a suggestion.
    pub(super) fn dismiss(
        &mut self,
        id: SuggestionId,
        verdict: Verdict,
        by: &str,
        out: &mut Outputs,
    ) -> Result<(), InputError> {
        let suggestion = self
            .state
            .suggestions
            .get(&id)
            .ok_or(InputError::NoSuggestion(id))?;
        if suggestion.phase == Phase::Running {
            return Err(InputError::WrongPhase {
                id,
                phase: Phase::Running,
                wanted: "cancel its evacuation first",
            });
        }
        self.state.counters.dismissed += 1;
        self.use_up(id);
        self.quiet_down(id);
        let reason = format!("dismissed by {by}, who says: {}", verdict.as_str());
        self.finish(id, Rule::Dismissed, reason, out);
        Ok(())
    }

    /// Uses up the evidence of a suggestion's host: no other suggestion rests on it.
    pub(super) fn use_up(&mut self, id: SuggestionId) {
        let host = self.state.suggestions.get(&id).map(|s| s.host.clone());
        if let Some(host) = host.and_then(|host| self.state.hosts.get_mut(&host)) {
            host.spend();
        }
    }

    /// Suggests nothing about a suggestion's host for a while.
    pub(super) fn quiet_down(&mut self, id: SuggestionId) {
        let host = self.state.suggestions.get(&id).map(|s| s.host.clone());
        if let Some(host) = host.and_then(|host| self.state.hosts.get_mut(&host)) {
            host.quiet_until = self.state.now + self.options.cooldown_sec;
        }
    }

    /// Ends a suggestion.
    pub(super) fn finish(
        &mut self,
        id: SuggestionId,
        rule: Rule,
        reason: String,
        out: &mut Outputs,
    ) {
        let Some(host) = self.state.suggestions.get(&id).map(|s| s.host.clone()) else {
            return;
        };
        self.decide(Some(id), &host, Action::Withdraw, rule, vec![reason], out);
        self.state.suggestions.remove(&id);
        if self.state.running == Some(id) {
            self.state.running = None;
        }
        if let Some(host) = self.state.hosts.get_mut(&host) {
            host.suggestion = None;
        }
    }

    /// Starts what may start: of hosts that wait, the one with the highest risk first, then the one that has waited the longest.
    pub(super) fn proceed(&mut self, out: &mut Outputs) {
        let cleared = self.state.suggestions.iter();
        let cleared = cleared.filter(|(_, suggestion)| suggestion.phase == Phase::Cleared);
        let risk = |suggestion: &Suggestion| {
            let host = self.state.hosts.get(&suggestion.host);
            host.and_then(|host| host.risk)
                .map_or(0.0, |(risk, _)| risk)
        };
        let mut waiting: Vec<_> = cleared.map(|(id, s)| (risk(s), s.opened, *id)).collect();
        waiting.sort_by(|(risk_a, opened_a, a), (risk_b, opened_b, b)| {
            let by_risk = risk_b.total_cmp(risk_a);
            by_risk.then(opened_a.total_cmp(opened_b)).then(a.cmp(b))
        });
        for (.., id) in waiting {
            self.try_evacuation(id, out);
        }
    }

    /// Starts the evacuation of a suggestion, unless a rule holds it.
    pub(super) fn try_evacuation(&mut self, id: SuggestionId, out: &mut Outputs) {
        let suggestion = match self.state.suggestions.get(&id) {
            Some(suggestion) if suggestion.phase == Phase::Cleared => suggestion.clone(),
            _ => return,
        };
        if let Some((rule, reason)) = self.hold(&suggestion) {
            if suggestion.held != Some(rule) {
                let mut reasons = vec![reason];
                reasons.extend(self.grounds(&suggestion));
                self.state.counters.held += 1;
                self.decide(Some(id), &suggestion.host, Action::Hold, rule, reasons, out);
                self.state
                    .suggestions
                    .entry(id)
                    .and_modify(|s| s.held = Some(rule));
            }
            return;
        }
        let mut reasons = self.grounds(&suggestion);
        let rule = match &suggestion.approved_by {
            Some(by) => {
                reasons.insert(0, format!("approved by {by}"));
                Rule::Approved
            }
            None => suggestion.rule,
        };
        let now = self.state.now;
        self.use_up(id);
        self.state.evacuations.add(&suggestion.host, now);
        self.state.running = Some(id);
        self.state.counters.evacuations += 1;
        self.state.suggestions.entry(id).and_modify(|suggestion| {
            (suggestion.phase, suggestion.started, suggestion.held) =
                (Phase::Running, Some(now), None);
        });
        self.decide(
            Some(id),
            &suggestion.host,
            Action::Evacuate,
            rule,
            reasons,
            out,
        );
    }
}

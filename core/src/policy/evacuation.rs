//! How evacuations end, and what follows when they fail.

use super::decision::Outputs;
use super::engine::Policy;
use super::input::{InputError, SuggestionId};
use super::terms::{Action, Phase, Rule, Step};

impl Policy {
    /// Takes what became of an evacuation.
    pub(super) fn progress(
        &mut self,
        id: SuggestionId,
        step: Step,
        text: &str,
        out: &mut Outputs,
    ) -> Result<(), InputError> {
        let suggestion = self
            .state
            .suggestions
            .get(&id)
            .ok_or(InputError::NoSuggestion(id))?;
        if suggestion.phase != Phase::Running {
            return Err(InputError::WrongPhase {
                id,
                phase: suggestion.phase,
                wanted: "its evacuation has not begun",
            });
        }
        let details = match text.is_empty() {
            true => String::new(),
            false => format!(": {text}"),
        };
        match step {
            Step::Started => {}
            Step::Ended => {
                self.state.brake.success();
                self.state.counters.evacuated += 1;
                self.quiet_down(id);
                self.finish(
                    id,
                    Rule::Evacuated,
                    format!("the evacuation has ended{details}"),
                    out,
                );
            }
            Step::Failed => {
                self.failed(
                    id,
                    Rule::Failed,
                    format!("the evacuation has failed{details}"),
                    out,
                );
            }
        }
        Ok(())
    }

    /// An evacuation failed.
    pub(super) fn failed(
        &mut self,
        id: SuggestionId,
        rule: Rule,
        reason: String,
        out: &mut Outputs,
    ) {
        let host = self.state.suggestions[&id].host.clone();
        self.state.counters.failed += 1;
        self.quiet_down(id);
        self.finish(id, rule, reason, out);
        if self.state.brake.failure(self.state.now, &self.options) {
            self.trip(&host, out);
        }
    }

    /// The brake has tripped: what would have started by itself needs a person.
    pub(super) fn trip(&mut self, host: &str, out: &mut Outputs) {
        self.state.counters.trips += 1;
        let Some(tripped) = &self.state.brake.tripped else {
            return;
        };
        let (rule, reason) = (tripped.rule, tripped.reason.clone());
        self.decide(None, host, Action::Trip, rule, vec![reason.clone()], out);
        let cleared = self.state.suggestions.iter_mut();
        let cleared = cleared.filter(|(_, suggestion)| suggestion.phase == Phase::Cleared);
        let mut held = Vec::new();
        for (id, suggestion) in cleared {
            suggestion.phase = Phase::Suggested;
            suggestion.approved_by = None;
            suggestion.held = Some(Rule::Tripped);
            held.push((*id, suggestion.host.clone()));
        }
        for (id, host) in held {
            let reasons = vec![
                format!("the brake has tripped: {reason}"),
                format!("reset it, then approve suggestion {id}"),
            ];
            self.decide(Some(id), &host, Action::Hold, Rule::Tripped, reasons, out);
        }
    }
}

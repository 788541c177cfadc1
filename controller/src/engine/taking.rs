//! How the thread takes things in: each is stored with what follows from it.

use std::time::{Duration, Instant};

use bellwether_core::event::Event;
use bellwether_core::policy::{Action, Input, Step, SuggestionId, What};

use super::command::{Command, Notice, Turn, answer};
use super::entry::Entry;
use super::handle::Taken;
use super::machine::Effects;
use super::thread::Thread;
use crate::log;
use crate::store::{ActionPhase, StoreError};

/// A line about refused findings is written at most once in this time; the metrics count all of them.
const COMPLAIN: Duration = Duration::from_secs(60);

impl Thread {
    pub(super) fn take(
        &mut self,
        command: Command,
        turn: &mut Turn,
        can_store: bool,
    ) -> Result<(), StoreError> {
        let can_store = can_store && self.problem.is_none();
        match command {
            Command::Events {
                events,
                reply,
                permit,
            } => {
                turn.permits.push(permit);
                let mut taken = Taken::default();
                let result = match can_store {
                    true => self.take_events(events, &mut taken, turn),
                    false => Ok(()),
                };
                turn.replies.push(answer(reply, taken));
                result
            }
            Command::Order { what, reply } => {
                let mut taken = Taken::default();
                let mut result = Ok(());
                if can_store {
                    let order = serde_json::to_string(&what).expect("an order is JSON");
                    match self.record(what.clone(), turn) {
                        Ok(effects) => {
                            taken.decisions = effects.decisions;
                            taken.refused = effects.refused;
                        }
                        Err(error) => result = Err(error),
                    }
                    if result.is_ok() && taken.refused.is_none() && is_order(&what) {
                        result = self.note("order", "", &order, turn);
                    }
                }
                turn.replies.push(answer(reply, taken));
                result
            }
            Command::Act {
                suggestion,
                phase,
                note,
                reply,
            } => {
                let result = match can_store {
                    true => self.act(suggestion, phase, &note, turn),
                    false => Ok(false),
                };
                let set = *result.as_ref().unwrap_or(&false);
                turn.replies.push(answer(reply, set));
                result.map(|_| ())
            }
            Command::Query(_) | Command::Problem { .. } | Command::Stop { .. } => Ok(()),
        }
    }

    fn take_events(
        &mut self,
        events: Vec<Event>,
        taken: &mut Taken,
        turn: &mut Turn,
    ) -> Result<(), StoreError> {
        for event in events {
            if self.machine.is_repeated(&event) {
                taken.repeated += 1;
                continue;
            }
            let entry = Entry::Event {
                at: self.now(),
                event: Box::new(event),
            };
            let effects = self.machine.step(&entry);
            taken.accepted += 1;
            self.add(&entry)?;
            self.keep(&effects, turn)?;
            taken.decisions.extend(effects.decisions);
            if let Entry::Event { event, .. } = &entry {
                turn.notices.push(notice("event", &event.to_json()));
            }
        }
        Ok(())
    }

    fn act(
        &mut self,
        suggestion: u64,
        phase: ActionPhase,
        note: &str,
        turn: &mut Turn,
    ) -> Result<bool, StoreError> {
        let time = self.now().secs();
        if !self.store.set_action(suggestion, phase, time, note)? {
            return Ok(false);
        }
        let step = match phase {
            ActionPhase::Decided | ActionPhase::Started => Step::Started,
            ActionPhase::Ended => Step::Ended,
            ActionPhase::Failed => Step::Failed,
        };
        let what = What::Progress {
            id: SuggestionId(suggestion),
            step,
            text: note.to_owned(),
        };
        self.record(what, turn)?;
        let json = serde_json::json!({
            "suggestion": suggestion, "phase": phase.as_str(), "time": time, "note": note
        });
        self.note("action", "", &json.to_string(), turn)?;
        Ok(true)
    }

    /// Takes an input of the policy in.
    pub(super) fn record(&mut self, what: What, turn: &mut Turn) -> Result<Effects, StoreError> {
        let time = self.now();
        let entry = Entry::Policy(Input { time, what });
        let effects = self.machine.step(&entry);
        self.add(&entry)?;
        self.keep(&effects, turn)?;
        Ok(effects)
    }

    fn add(&mut self, entry: &Entry) -> Result<(), StoreError> {
        self.seq = self.store.add(entry)?;
        self.recorded = entry.at();
        self.unsaved += 1;
        Ok(())
    }

    /// Stores what follows.
    pub(super) fn keep(&mut self, effects: &Effects, turn: &mut Turn) -> Result<(), StoreError> {
        if let Some(refused) = effects.findings_refused.first()
            && self
                .complained
                .is_none_or(|then| then.elapsed() >= COMPLAIN)
        {
            self.complained = Some(Instant::now());
            log::warning(&format!("findings are refused, such as: {refused}"));
        }
        for decision in &effects.decisions {
            if !self.store.decide(decision)? {
                continue;
            }
            turn.has_work |= decision.action == Action::Evacuate;
            let json = serde_json::to_string(decision).expect("a decision is JSON");
            self.note("decision", &decision.host, &json, turn)?;
        }
        for event in &effects.events {
            self.note("event", event.hypervisor(), &event.to_json(), turn)?;
        }
        for change in &effects.health {
            let json = serde_json::to_string(change).expect("a change is JSON");
            self.note("health", &change.host, &json, turn)?;
        }
        Ok(())
    }

    /// Adds a line to the audit trail, and lets those who watch know.
    fn note(
        &mut self,
        kind: &'static str,
        host: &str,
        json: &str,
        turn: &mut Turn,
    ) -> Result<(), StoreError> {
        self.store
            .audit(self.machine.at().secs(), kind, host, json)?;
        turn.notices.push(notice(kind, json));
        Ok(())
    }
}

fn notice(kind: &'static str, json: &str) -> Notice {
    Notice {
        kind,
        json: json.into(),
    }
}

/// Whether an input is an order of a person, for the audit trail.
fn is_order(what: &What) -> bool {
    !matches!(
        what,
        What::Tick | What::Risk { .. } | What::Progress { .. } | What::Topology { .. }
    )
}

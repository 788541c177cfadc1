//! A whole evacuation: what is to be moved is what the host lists, so that whatever was moved before is not moved again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bellwether_core::text::duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::super::contract::{Failure, Job, Move};
use super::guest::Guest;
use super::inner::Inner;
use super::ledger::Course;
use super::migrate::Outcome;
use super::survey::{each, guests};
use super::virsh::never;
use crate::log;
use crate::store::{Fate, Migration};

/// A guest that a target did not take is tried again on another this many times.
const PASSES: usize = 2;

/// What is known so far of an evacuation.
#[derive(Debug, Default)]
struct State {
    /// Guests and targets that did not take them.
    tried: HashSet<(String, String)>,
    /// Guests that are not touched again.
    left: HashSet<String>,
    /// Names and reasons of guests that were not moved.
    reasons: BTreeMap<String, (String, String)>,
}

/// Of an evacuation's migrations, oldest first, the last one of each guest.
pub(super) fn last_of_each(migrations: Vec<Migration>) -> Vec<Migration> {
    let mut last = BTreeMap::new();
    for migration in migrations {
        last.insert(migration.uuid.clone(), migration);
    }
    let mut last: Vec<Migration> = last.into_values().collect();
    last.sort_by_key(|migration| migration.id);
    last
}

/// The migrations of the guests that are away from the host.
pub(super) fn moved_away(mut migrations: Vec<Migration>, host: &str) -> Vec<Migration> {
    migrations.retain(|migration| migration.fate == Fate::Moved);
    let mut last = last_of_each(migrations);
    last.retain(|migration| migration.target != host);
    last
}

impl Inner {
    /// Moves the guests away; gives what is to be known about it.
    pub(super) async fn evacuate(
        self: &Arc<Self>,
        job: &Job,
        steps: &mpsc::Sender<Move>,
        cancel: &watch::Receiver<bool>,
    ) -> Result<String, Failure> {
        self.ledger.set_course(job, &Course::Away).await?;
        let mut state = State::default();
        // Of an earlier run of the controller.
        let unclear = self.unclear(job).await?.into_iter();
        state.left.extend(unclear.map(|migration| migration.uuid));
        let mut done = Ok(());
        for pass in 0..PASSES {
            match self.pass(job, pass, &mut state, steps, cancel).await {
                Ok(true) if !*cancel.borrow() => {}
                Ok(_) => break,
                Err(failure) => {
                    done = Err(failure);
                    break;
                }
            }
        }
        let result = match done {
            Ok(()) => self.sum_up(job, &state).await,
            Err(failure) => Err(failure),
        };
        let (course, result) = match result {
            Ok(note) => (Course::Ended(note.clone()), Ok(note)),
            Err(Failure(why)) if *cancel.borrow() => {
                let why = format!("canceled: {why}");
                (Course::Canceled(why.clone()), Err(Failure(why)))
            }
            Err(Failure(why)) => (Course::Failed(why.clone()), Err(Failure(why))),
        };
        if let Err(failure) = self.ledger.set_course(job, &course).await {
            // After a restart, the hosts are listed again.
            log::error(&format!(
                "the end of the evacuation of {} was not stored: {failure}",
                job.host
            ));
        }
        result
    }

    /// Tries to move what is there; gives whether trying again makes sense.
    async fn pass(
        self: &Arc<Self>,
        job: &Job,
        pass: usize,
        state: &mut State,
        steps: &mpsc::Sender<Move>,
        cancel: &watch::Receiver<bool>,
    ) -> Result<bool, Failure> {
        let survey = self.survey(&job.host, &state.tried, &state.left).await?;
        if pass == 0 {
            // Steps are for those who watch.
            let text = self.plan(&survey).note;
            let _ = steps.try_send(Move::Said { text });
        }
        for (guest, why) in survey.placement.stays {
            let reasons = state.reasons.entry(guest.uuid);
            // The reason of a target that did not take it is more precise.
            let (name, reason) = reasons.or_insert((guest.name, why));
            let _ = steps.try_send(Move::Stayed {
                guest: name.clone(),
                reason: reason.clone(),
            });
        }
        let move_one = |(guest, target): (Guest, String)| {
            let (inner, job) = (Arc::clone(self), job.clone());
            let (steps, cancel) = (steps.clone(), cancel.clone());
            async move {
                let outcome = inner
                    .move_away(&job, &guest, &target, &steps, &cancel)
                    .await;
                (guest, target, outcome)
            }
        };
        let mut again = false;
        for (guest, target, outcome) in
            each(survey.placement.moves, self.settings.parallel, move_one).await
        {
            match outcome {
                Outcome::Moved => drop(state.reasons.remove(&guest.uuid)),
                Outcome::Gone => {}
                Outcome::Stayed(why) => {
                    again = true;
                    state.tried.insert((guest.uuid.clone(), target));
                    state.reasons.insert(guest.uuid, (guest.name, why));
                }
                Outcome::Unclear(_) => {
                    state.left.insert(guest.uuid);
                }
            }
        }
        Ok(again)
    }

    async fn move_away(
        &self,
        job: &Job,
        guest: &Guest,
        target: &str,
        steps: &mpsc::Sender<Move>,
        cancel: &watch::Receiver<bool>,
    ) -> Outcome {
        // It may have turned red since.
        let outcome = match self.ledger.may_receive(&job.host, target).await {
            Err(Failure(why)) => Outcome::Stayed(why),
            Ok(()) => {
                let migration = Migration {
                    id: 0,
                    suggestion: job.suggestion,
                    uuid: guest.uuid.clone(),
                    name: guest.name.clone(),
                    source: job.host.clone(),
                    target: target.to_owned(),
                    memory_mib: guest.memory_mib,
                    began: 0.0,
                    fate: Fate::Begun,
                    note: String::new(),
                };
                self.migrate(migration, steps, cancel).await
            }
        };
        let guest = guest.name.clone();
        let _ = steps.try_send(match &outcome {
            Outcome::Moved => Move::Moved { guest },
            Outcome::Gone => Move::Said {
                text: format!("{guest} had ended before it was moved"),
            },
            Outcome::Stayed(reason) | Outcome::Unclear(reason) => Move::Stayed {
                guest,
                reason: reason.clone(),
            },
        });
        outcome
    }

    /// The last migrations of guests that are not known to run on exactly one host.
    async fn unclear(&self, job: &Job) -> Result<Vec<Migration>, Failure> {
        let mut last = last_of_each(self.ledger.migrations(job).await?);
        last.retain(|migration| migration.fate == Fate::Unclear);
        Ok(last)
    }

    /// What the host lists at the end decides.
    async fn sum_up(&self, job: &Job, state: &State) -> Result<String, Failure> {
        let migrations = self.ledger.migrations(job).await?;
        // Also of an earlier run of the controller.
        let began = migrations.first().map(|migration| migration.began);
        let moved = moved_away(migrations, &job.host).len();
        let moved = format!("{} moved", guests(moved));
        let unclear = self.unclear(job).await?.into_iter();
        let mut lines: Vec<String> = unclear.map(|m| format!("{}: {}", m.name, m.note)).collect();
        match self.virsh.guests(&job.host, false).await {
            Ok(remaining) => {
                let remaining = remaining.iter().filter(|uuid| !state.left.contains(*uuid));
                lines.extend(remaining.map(|uuid| match state.reasons.get(uuid) {
                    Some((name, why)) => format!("{name} stays: {why}"),
                    None => format!("{uuid} stays: it appeared during the evacuation"),
                }));
            }
            Err(Failure(why)) => lines.insert(0, format!("what is left cannot be listed: {why}")),
        }
        match lines.is_empty() {
            true => Ok(match began {
                Some(began) => format!("{moved} in {}", duration(self.ledger.now() - began)),
                None => moved,
            }),
            false => Err(Failure(format!("{moved}; {}", lines.join("; ")))),
        }
    }

    /// Finds out what became of migrations that an earlier run has begun.
    pub(super) async fn conclude_all(&self, job: &Job) -> Result<(), Failure> {
        let reason = "the controller ended while it was under way";
        for migration in last_of_each(self.ledger.migrations(job).await?) {
            if matches!(migration.fate, Fate::Begun | Fate::Unclear) {
                let end = Instant::now() + Duration::from_secs_f64(self.settings.guest_sec);
                self.conclude(&migration, false, end, &never(), reason)
                    .await;
            }
        }
        Ok(())
    }
}

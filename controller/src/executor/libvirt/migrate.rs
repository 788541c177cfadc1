//! Moves one guest. What became of it is what both hosts list afterwards, never an exit code: a client that is killed does not stop a
//! peer-to-peer migration.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::super::contract::{Failure, Move};
use super::inner::Inner;
use super::node::{JobState, job};
use super::virsh::NotDone;
use crate::store::{Fate, Migration};

/// How often both hosts are asked where a guest is.
const POLL: Duration = Duration::from_millis(500);
/// How often a migration is asked how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// A guest stays if it was found on its source this many times: a migration may begin after its client was killed.
const CONFIRMATIONS: u32 = 2;

/// Where a guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Whereabouts {
    Source,
    Target,
    UnderWay,
    Both,
    Neither,
    Unknown(String),
}

/// What became of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Moved,
    /// It runs where it was, with the reason.
    Stayed(String),
    /// It had ended before it could be moved.
    Gone,
    /// It is not known to run on exactly one of the hosts.
    Unclear(String),
}

impl Inner {
    async fn job_state(&self, host: &str, uuid: &str) -> Result<JobState, Failure> {
        let text = self
            .virsh
            .ask(host, &["domjobinfo", "--domain", uuid])
            .await?;
        job(&text).map_err(Failure)
    }

    async fn locate(&self, migration: &Migration) -> Whereabouts {
        let Migration {
            uuid,
            source,
            target,
            ..
        } = migration;
        let (on_source, on_target) = tokio::join!(
            self.virsh.guests(source, false),
            self.virsh.guests(target, false)
        );
        let has = |list: &Vec<String>| list.contains(uuid);
        let is_on_target = on_target.as_ref().is_ok_and(has);
        match on_source {
            Ok(list) if has(&list) => match self.job_state(source, uuid).await {
                Ok(JobState::Active(_)) => Whereabouts::UnderWay,
                Ok(JobState::Idle) if is_on_target => Whereabouts::Both,
                Ok(JobState::Idle) => Whereabouts::Source,
                Err(Failure(why)) => Whereabouts::Unknown(why),
            },
            Ok(_) => match on_target {
                Ok(_) if is_on_target => Whereabouts::Target,
                Ok(_) => Whereabouts::Neither,
                Err(Failure(why)) => Whereabouts::Unknown(why),
            },
            // The source may be dead: the guest has moved if it already runs on the target.
            Err(Failure(why)) => match self.virsh.guests(target, true).await {
                Ok(list) if has(&list) => Whereabouts::Target,
                _ => Whereabouts::Unknown(why),
            },
        }
    }

    /// Waits until both hosts agree on where the guest is. A migration that is under way is aborted at `end` or when it is canceled.
    async fn settle(
        &self,
        migration: &Migration,
        mut aborts: bool,
        end: Instant,
        cancel: &watch::Receiver<bool>,
    ) -> Whereabouts {
        let settle = Duration::from_secs_f64(self.settings.settle_sec);
        let mut give_up = Instant::now() + settle;
        let mut confirmations = 0;
        loop {
            let found = self.locate(migration).await;
            match found {
                Whereabouts::Target => return found,
                Whereabouts::Source => confirmations += 1,
                _ => confirmations = 0,
            }
            if confirmations >= CONFIRMATIONS {
                return found;
            }
            if found == Whereabouts::UnderWay {
                if aborts {
                    self.abort(migration).await;
                } else {
                    give_up = Instant::now() + settle;
                    aborts = Instant::now() >= end || *cancel.borrow();
                }
            }
            if Instant::now() >= give_up {
                return found;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn abort(&self, migration: &Migration) {
        let arguments = ["domjobabort", "--domain", &migration.uuid];
        // That there is no job to abort is an error too; what matters is what both hosts list.
        let _ = self.virsh.ask(&migration.source, &arguments).await;
    }

    /// Reports how far a migration is, again and again.
    async fn watch(
        &self,
        migration: &Migration,
        steps: &mpsc::Sender<Move>,
    ) -> std::convert::Infallible {
        let mut last = String::new();
        loop {
            tokio::time::sleep(PROGRESS).await;
            if let Ok(JobState::Active(text)) =
                self.job_state(&migration.source, &migration.uuid).await
                && text != last
            {
                // Steps are for those who watch.
                let _ = steps.try_send(Move::Said {
                    text: format!("{}: {text}", migration.name),
                });
                last = text;
            }
        }
    }

    /// Moves a guest, and stores what became of it.
    pub(super) async fn migrate(
        &self,
        mut migration: Migration,
        steps: &mpsc::Sender<Move>,
        cancel: &watch::Receiver<bool>,
    ) -> Outcome {
        if *cancel.borrow() {
            return Outcome::Stayed("the evacuation was canceled".into());
        }
        migration.began = self.ledger.now();
        migration.id = match self.ledger.begin(&migration).await {
            Ok(id) => id,
            Err(Failure(why)) => return Outcome::Stayed(why),
        };
        let _ = steps.try_send(Move::Began {
            guest: migration.name.clone(),
            target: Some(migration.target.clone()),
        });
        let limit = Duration::from_secs_f64(self.settings.guest_sec);
        let end = Instant::now() + limit;
        let arguments = self.arguments(&migration);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let run = self
            .virsh
            .run(&migration.source, &arguments, limit, cancel.clone());
        let done = tokio::select! {
            done = run => done,
            never = self.watch(&migration, steps) => match never {},
        };
        let aborts = matches!(done, Err(NotDone::Killed(_)));
        if aborts {
            self.abort(&migration).await;
        }
        let reason = match done {
            Ok(_) => "virsh reported no error".to_owned(),
            Err(not_done) => not_done.into_reason(),
        };
        self.conclude(&migration, aborts, end, cancel, &reason)
            .await
    }

    /// Finds out what became of a migration, and stores it.
    pub(super) async fn conclude(
        &self,
        migration: &Migration,
        aborts: bool,
        end: Instant,
        cancel: &watch::Receiver<bool>,
        reason: &str,
    ) -> Outcome {
        let Migration { source, target, .. } = migration;
        let outcome = match self.settle(migration, aborts, end, cancel).await {
            Whereabouts::Target => Outcome::Moved,
            Whereabouts::Source => Outcome::Stayed(reason.to_owned()),
            Whereabouts::Neither if reason.contains("failed to get domain") => Outcome::Gone,
            Whereabouts::Neither => Outcome::Unclear(format!(
                "neither {source} nor {target} lists it any more; {reason}"
            )),
            Whereabouts::Both => Outcome::Unclear(format!(
                "{source} and {target} both list it, and nothing was done about it; {reason}"
            )),
            Whereabouts::UnderWay => Outcome::Unclear(format!(
                "its migration to {target} could not be aborted; {reason}"
            )),
            Whereabouts::Unknown(why) => {
                Outcome::Unclear(format!("it is unknown where it is: {why}; {reason}"))
            }
        };
        let (fate, note) = match &outcome {
            Outcome::Moved => (Fate::Moved, ""),
            Outcome::Stayed(why) => (Fate::Stayed, why.as_str()),
            Outcome::Gone => (Fate::Stayed, "it had ended"),
            Outcome::Unclear(why) => (Fate::Unclear, why.as_str()),
        };
        if let Err(failure) = self.ledger.end(migration.id, fate, note).await {
            // It is found out again after a restart.
            crate::log::error(&format!(
                "the migration of {} was not stored: {failure}",
                migration.name
            ));
        }
        outcome
    }

    fn arguments(&self, migration: &Migration) -> Vec<String> {
        let mut arguments = [
            "migrate",
            "--live",
            "--p2p",
            "--persistent",
            "--undefinesource",
            "--auto-converge",
        ]
        .map(str::to_owned)
        .to_vec();
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        let settings = &self.settings;
        if settings.bandwidth_mib_s > 0 {
            let share = (settings.bandwidth_mib_s / settings.parallel).max(1);
            option("--bandwidth", share.to_string());
        }
        let connections = &self.virsh.connections;
        if let Some(uri) = connections.migrate_uri(&migration.target) {
            option("--migrateuri", uri);
        }
        option("--domain", migration.uuid.clone());
        option("--desturi", connections.peer_uri(&migration.target));
        if settings.unsafe_storage {
            arguments.push("--unsafe".into());
        }
        arguments
    }
}

//! What the executor reads of the engine's state, and what it stores so that it survives a crash.

use std::collections::HashSet;
use std::sync::OnceLock;

use super::super::contract::{Failure, Job};
use crate::config::host_name;
use crate::engine::{Clock, Engine, EngineError, Machine, system_clock};
use crate::store::{Fate, Migration, Store, StoreError};

/// Past migrations that an estimate is fitted to.
const PAST_MAX: usize = 200;
/// Reasons that are named why hosts are no targets.
const REASONS_MAX: usize = 4;

/// What is done in an evacuation, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Course {
    /// Nothing was begun.
    None,
    /// Guests are moved away.
    Away,
    /// It was canceled, and guests may have to be moved back.
    Canceled(String),
    /// All guests are away.
    Ended(String),
    /// Some guests are not away.
    Failed(String),
}

impl Course {
    const fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Away => "away",
            Self::Canceled(_) => "canceled",
            Self::Ended(_) => "ended",
            Self::Failed(_) => "failed",
        }
    }

    fn note(&self) -> &str {
        match self {
            Self::None | Self::Away => "",
            Self::Canceled(note) | Self::Ended(note) | Self::Failed(note) => note,
        }
    }

    fn of(word: &str, note: String) -> Result<Self, Failure> {
        Ok(match word {
            "none" => Self::None,
            "away" => Self::Away,
            "canceled" => Self::Canceled(note),
            "ended" => Self::Ended(note),
            "failed" => Self::Failed(note),
            _ => {
                return Err(Failure(format!(
                    "the store has an unknown course \"{word}\""
                )));
            }
        })
    }
}

/// The engine as the executor uses it.
pub(super) struct Ledger {
    pub(super) engine: OnceLock<Engine>,
    clock: Clock,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self {
            engine: OnceLock::new(),
            clock: system_clock(),
        }
    }

    /// The present in seconds since the epoch.
    pub(super) fn now(&self) -> f64 {
        (self.clock)().secs()
    }

    async fn query<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Machine, &Store) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let engine = self.engine.get();
        let engine = engine.ok_or_else(|| Failure("the executor has no engine".into()))?;
        let answer = engine.query(read).await;
        answer.map_err(|error: EngineError| Failure(error.to_string()))
    }

    async fn store<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Failure> {
        let done = self.query(move |_, store| work(store)).await?;
        done.map_err(|error| Failure(error.to_string()))
    }

    /// Up to `max` hosts that may take guests of `host`, and in words why others may not. Which ones are chosen depends on the host,
    /// so that hosts of a large cluster do not all use the same ones.
    pub(super) async fn targets(
        &self,
        host: &str,
        max: usize,
        cordoned: HashSet<String>,
    ) -> Result<(Vec<String>, Vec<String>), Failure> {
        let from = host.to_owned();
        self.query(move |machine, _| {
            let decider = machine.decider();
            let (mut targets, mut reasons) = (Vec::new(), Vec::new());
            for target in decider.hosts().filter(|target| *target != from) {
                let may = match cordoned.contains(target) {
                    true => Err("it is cordoned".into()),
                    false => host_name(target).map(drop),
                };
                match may.and_then(|()| decider.may_receive(&from, target)) {
                    Ok(()) => targets.push(target.to_owned()),
                    Err(why) if reasons.len() < REASONS_MAX => {
                        reasons.push(format!("{target}: {why}"));
                    }
                    Err(_) => {}
                }
            }
            targets.sort_unstable();
            let after = targets.partition_point(|target| *target < from);
            targets.rotate_left(after);
            targets.truncate(max);
            if targets.is_empty() && reasons.is_empty() {
                reasons.push("no other host is known".into());
            }
            (targets, reasons)
        })
        .await
    }

    /// Whether `target` may take guests of `host` now.
    pub(super) async fn may_receive(&self, host: &str, target: &str) -> Result<(), Failure> {
        let (from, to) = (host.to_owned(), target.to_owned());
        let answer = self.query(move |machine, _| machine.decider().may_receive(&from, &to));
        let may = answer.await?;
        may.map_err(|why| Failure(format!("{target} is no target any more: {why}")))
    }

    /// Memory and duration of past migrations.
    pub(super) async fn past(&self) -> Result<Vec<(f64, f64)>, Failure> {
        self.store(|store| store.durations(PAST_MAX)).await
    }

    pub(super) async fn course(&self, job: &Job) -> Result<Course, Failure> {
        let suggestion = job.suggestion;
        let found = self.store(move |store| store.course(suggestion)).await?;
        found.map_or(Ok(Course::None), |(word, note)| Course::of(&word, note))
    }

    pub(super) async fn set_course(&self, job: &Job, course: &Course) -> Result<(), Failure> {
        let (suggestion, time) = (job.suggestion, self.now());
        let (word, note) = (course.word(), course.note().to_owned());
        self.store(move |store| store.set_course(suggestion, word, time, &note))
            .await
    }

    /// The migrations of an evacuation, oldest first.
    pub(super) async fn migrations(&self, job: &Job) -> Result<Vec<Migration>, Failure> {
        let suggestion = job.suggestion;
        self.store(move |store| store.migrations(suggestion)).await
    }

    /// Stores that a migration begins.
    pub(super) async fn begin(&self, migration: &Migration) -> Result<i64, Failure> {
        let migration = migration.clone();
        self.store(move |store| store.begin_migration(&migration))
            .await
    }

    /// Stores what became of a migration.
    pub(super) async fn end(&self, id: i64, fate: Fate, note: &str) -> Result<(), Failure> {
        let (time, note) = (self.now(), note.to_owned());
        self.store(move |store| store.end_migration(id, time, fate, &note))
            .await
    }
}

//! Carries evacuations out, so that each is begun once, whenever the controller ends.
//!
//! An evacuation is `decided` in the store before it is `started` there, and `started` there before the executor is called. What was
//! `started` in an earlier run is the executor's to find out: only it knows whether guests have moved.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::contract::{Executor, Failure, Found, Job, Move};
use crate::engine::{Engine, EngineError};
use crate::log;
use crate::store::{ActionPhase, ActionRow};

/// Steps that wait to be shown.
const STEPS_MAX: usize = 1024;
/// Steps that are kept of a running evacuation.
const SHOWN_MAX: usize = 1000;
/// Evacuations are searched for at least this often.
const SEARCH: Duration = Duration::from_secs(5);
/// Open evacuations that are read at once.
const OPEN_MAX: usize = 1000;
/// Maximum length of a note in bytes.
const NOTE_MAX_BYTES: usize = 4096;

/// How far a running evacuation is.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Progress {
    /// Its host.
    pub host: String,
    /// Its last steps, oldest first.
    pub steps: Vec<Move>,
}

struct Running {
    cancel: watch::Sender<bool>,
    progress: Progress,
}

/// Carries out what is decided.
pub struct Runner {
    engine: Engine,
    executor: Arc<dyn Executor>,
    retry: Duration,
    running: Mutex<HashMap<u64, Running>>,
    /// Evacuations that are being ended are not begun again.
    is_stopping: watch::Sender<bool>,
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Runner");
        debug.field("executor", &self.executor.name());
        debug.finish_non_exhaustive()
    }
}

impl Runner {
    /// A runner for this executor.
    pub fn new(engine: Engine, executor: Arc<dyn Executor>, retry: Duration) -> Arc<Self> {
        Arc::new(Self {
            engine,
            executor,
            retry,
            running: Mutex::default(),
            is_stopping: watch::channel(false).0,
        })
    }

    /// Carries out what is decided until the engine stops or [`Self::stop`] is called.
    pub async fn run(self: Arc<Self>) {
        let mut stopping = self.is_stopping.subscribe();
        loop {
            let open = self
                .engine
                .query(|_, store| store.actions(true, OPEN_MAX))
                .await;
            match open {
                Ok(Ok(open)) => self.begin(open),
                Ok(Err(error)) => log::error(&format!("evacuations cannot be read: {error}")),
                Err(_) => return,
            }
            tokio::select! {
                () = self.engine.work() => {}
                () = tokio::time::sleep(SEARCH) => {}
                _ = stopping.wait_for(|is_stopping| *is_stopping) => return,
            }
        }
    }

    /// Begins no further evacuation, and waits for those that run, at most for `timeout`.
    pub async fn stop(&self, timeout: Duration) {
        self.is_stopping.send_replace(true);
        let end = tokio::time::Instant::now() + timeout;
        while !self.running().is_empty() && tokio::time::Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Cancels a running evacuation; `false` if it does not run.
    pub fn cancel(&self, suggestion: u64) -> bool {
        let running = self.running();
        let found = running.get(&suggestion);
        found.is_some_and(|running| running.cancel.send(true).is_ok())
    }

    /// How far the running evacuations are.
    pub fn progress(&self) -> HashMap<u64, Progress> {
        let running = self.running();
        let progress = running
            .iter()
            .map(|(id, running)| (*id, running.progress.clone()));
        progress.collect()
    }

    fn running(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, open: Vec<ActionRow>) {
        for action in open {
            let mut running = self.running();
            if running.contains_key(&action.suggestion) {
                continue;
            }
            let (cancel, canceled) = watch::channel(false);
            let progress = Progress {
                host: action.host.clone(),
                steps: Vec::new(),
            };
            running.insert(action.suggestion, Running { cancel, progress });
            drop(running);
            let runner = Arc::clone(self);
            tokio::spawn(async move {
                let suggestion = action.suggestion;
                if let Err(error) = runner.carry_out(action, canceled).await {
                    // It is still open in the store, and is found there again.
                    log::error(&format!("evacuation {suggestion}: {error}"));
                    tokio::time::sleep(runner.retry).await;
                }
                runner.running().remove(&suggestion);
            });
        }
    }

    async fn carry_out(
        self: &Arc<Self>,
        action: ActionRow,
        canceled: watch::Receiver<bool>,
    ) -> Result<(), EngineError> {
        let job = Job {
            suggestion: action.suggestion,
            host: action.host,
            decision: action.decision,
        };
        let begins = match action.phase {
            ActionPhase::Decided => {
                let note = format!("by {}", self.executor.name());
                self.engine
                    .act(job.suggestion, ActionPhase::Started, note)
                    .await?
            }
            _ => match self.find(&job).await {
                Ok(None) => true,
                Ok(Some(note)) => return self.end(&job, Ok(note)).await,
                Err(failure) => return self.end(&job, Err(failure)).await,
            },
        };
        if !begins {
            return Ok(());
        }
        let result = self.evacuate(&job, canceled).await;
        self.end(&job, result).await
    }

    /// What became of an evacuation of an earlier run: `None` if it is to be begun.
    async fn find(&self, job: &Job) -> Result<Option<String>, Failure> {
        loop {
            match self.executor.found(job).await {
                Ok(Found::NotBegun) => return Ok(None),
                Ok(Found::Ended(note)) => return Ok(Some(note)),
                Ok(Found::Failed(why)) => return Err(Failure(why)),
                Ok(Found::Running) => {}
                Err(failure) => log::warning(&format!(
                    "evacuation {} of {}: its state cannot be determined: {failure}",
                    job.suggestion, job.host
                )),
            }
            tokio::time::sleep(self.retry).await;
        }
    }

    async fn evacuate(
        self: &Arc<Self>,
        job: &Job,
        canceled: watch::Receiver<bool>,
    ) -> Result<String, Failure> {
        let (steps, mut taken) = mpsc::channel(STEPS_MAX);
        let watching = Arc::clone(self);
        let suggestion = job.suggestion;
        let watch = tokio::spawn(async move {
            while let Some(step) = taken.recv().await {
                let mut running = watching.running();
                if let Some(running) = running.get_mut(&suggestion) {
                    let shown = &mut running.progress.steps;
                    if shown.len() >= SHOWN_MAX {
                        shown.remove(0);
                    }
                    shown.push(step);
                }
            }
        });
        let executor = &self.executor;
        let work = async {
            executor.cordon(job).await?;
            executor.evacuate(job, steps, canceled).await
        };
        let result = work.await;
        watch.abort();
        match result {
            Ok(note) => Ok(note),
            Err(Failure(why)) => match executor.undo(job).await {
                Ok(()) => Err(Failure(why)),
                Err(undo) => Err(Failure(format!("{why}; and it was not undone: {undo}"))),
            },
        }
    }

    async fn end(&self, job: &Job, result: Result<String, Failure>) -> Result<(), EngineError> {
        let (phase, note) = match result {
            Ok(note) => (ActionPhase::Ended, note),
            Err(Failure(why)) => (ActionPhase::Failed, why),
        };
        let note = bellwether_core::text::shortened(&note, NOTE_MAX_BYTES);
        loop {
            match self.engine.act(job.suggestion, phase, note.clone()).await {
                Ok(_) => return Ok(()),
                // What was done must not be forgotten.
                Err(EngineError::Store(_)) => tokio::time::sleep(self.retry).await,
                Err(error) => return Err(error),
            }
        }
    }
}

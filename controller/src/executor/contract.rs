//! What an executor has to do, and the words in which it says what it does.

use std::future::Future;
use std::pin::Pin;

use bellwether_core::policy::Decision;
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::engine::Engine;

/// The result of an executor's work.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// An evacuation to be carried out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Job {
    /// The suggestion that it carries out: it identifies the evacuation.
    pub suggestion: u64,
    /// The host.
    pub host: String,
    /// The decision behind it.
    pub decision: Decision,
}

/// Why an evacuation failed, for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

/// What an executor is going to do.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Plan {
    /// The guests in the order in which they are moved, each with its target, if that is decided beforehand.
    pub moves: Vec<(String, Option<String>)>,
    /// How long it is likely to take in seconds, if that is known.
    pub estimate_sec: Option<f64>,
    /// What is to be known about it, for people.
    pub note: String,
}

/// A step of an evacuation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Move {
    /// A guest is being moved.
    Began {
        /// The guest.
        guest: String,
        /// Where to, if that is known.
        target: Option<String>,
    },
    /// A guest runs elsewhere.
    Moved {
        /// The guest.
        guest: String,
    },
    /// A guest could not be moved.
    Stayed {
        /// The guest.
        guest: String,
        /// Why.
        reason: String,
    },
    /// Anything else that is to be known.
    Said {
        /// A line for people.
        text: String,
    },
}

/// What became of an evacuation that was begun before the controller was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It never began, or can be begun again without harm.
    NotBegun,
    /// It still runs.
    Running,
    /// It has ended well; with what is to be known about it.
    Ended(String),
    /// It has failed, or nobody can know; with the reason.
    Failed(String),
}

/// An executor. It may be called for one host at a time only.
pub trait Executor: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;

    /// Lets it use the engine, before anything else is asked of it.
    fn attach(&self, _engine: &Engine) {}

    /// Keeps new guests away from the host.
    fn cordon<'a>(&'a self, job: &'a Job) -> Work<'a, ()>;

    /// What it would do.
    fn plan<'a>(&'a self, job: &'a Job) -> Work<'a, Plan>;

    /// Moves the guests away; gives what is to be known about it. Reports steps to `steps`, which may be full: then they are left
    /// out. Ends early, with a [`Failure`], when `cancel` becomes true.
    fn evacuate<'a>(
        &'a self,
        job: &'a Job,
        steps: mpsc::Sender<Move>,
        cancel: watch::Receiver<bool>,
    ) -> Work<'a, String>;

    /// Makes the host usable again.
    fn undo<'a>(&'a self, job: &'a Job) -> Work<'a, ()>;

    /// What became of an evacuation that an earlier run of the controller has begun.
    fn found<'a>(&'a self, job: &'a Job) -> Work<'a, Found>;
}

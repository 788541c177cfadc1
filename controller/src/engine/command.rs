//! What the thread of the engine is asked to do, and what it leaves to be done.

use std::sync::Arc;

use bellwether_core::event::Event;
use bellwether_core::policy::What;
use tokio::sync::oneshot;

use super::handle::{EngineError, Permit, Taken};
use super::machine::Machine;
use crate::store::{ActionPhase, Store};

pub(super) type Reply<T> = oneshot::Sender<Result<T, EngineError>>;
pub(super) type Query = Box<dyn FnOnce(&Machine, &Store) + Send>;

/// What the thread does for others.
pub(super) enum Command {
    Events {
        events: Vec<Event>,
        reply: Reply<Taken>,
        permit: Permit,
    },
    Order {
        what: What,
        reply: Reply<Taken>,
    },
    Act {
        suggestion: u64,
        phase: ActionPhase,
        note: String,
        reply: Reply<bool>,
    },
    Query(Query),
    Problem {
        reply: oneshot::Sender<Option<String>>,
    },
    Stop {
        reply: oneshot::Sender<()>,
    },
}

/// Something that happened, for those who watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `event`, `decision`, `health`, `action` or `order`.
    pub kind: &'static str,
    /// What, as a JSON object on one line.
    pub json: Arc<str>,
}

/// Answers whoever asked, once it is stored: with what prevented that, if anything did.
pub(super) type Answer = Box<dyn FnOnce(Option<&EngineError>) + Send>;

/// What a turn leaves to be done once it is stored.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) notices: Vec<Notice>,
    pub(super) replies: Vec<Answer>,
    pub(super) permits: Vec<Permit>,
    pub(super) has_work: bool,
}

/// The reply once it is stored, or what prevented that.
pub(super) fn answer<T: Send + 'static>(reply: Reply<T>, value: T) -> Answer {
    Box::new(move |failed| {
        let result = match failed {
            Some(error) => Err(error.clone()),
            None => Ok(value),
        };
        // Whoever asked may be gone.
        let _ = reply.send(result);
    })
}

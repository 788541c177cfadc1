//! The engine as everybody else sees it.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use bellwether_core::event::Event;
use bellwether_core::policy::{Decision, InputError, What};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, oneshot};

use super::command::{Command, Notice};
use super::machine::Machine;
use crate::store::{ActionPhase, Store};

/// After this time, in seconds, a sender may try again.
pub const RETRY_SEC: u32 = 1;
/// While the queue is full, what must not be lost waits for this time before it is tried again.
const FULL_WAIT: Duration = Duration::from_millis(20);

/// Why the engine did not take something in.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// Its queue is full.
    #[error("the queue of {0} events is full; send again in {RETRY_SEC} s")]
    Busy(usize),
    /// It cannot store what it takes in, so it takes in nothing and decides nothing.
    #[error("nothing can be stored, so nothing is taken in and nothing is decided: {0}")]
    Store(String),
    /// It has stopped.
    #[error("the controller is stopping")]
    Stopped,
    /// The policy refused an order.
    #[error("{0}")]
    Refused(InputError),
}

/// What became of events or an order that are stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// Number of events that are new.
    pub accepted: u64,
    /// Number of events that had been taken in before.
    pub repeated: u64,
    /// What was decided.
    pub decisions: Vec<Decision>,
    /// Why the policy refused it, if it did.
    pub refused: Option<InputError>,
}

/// A handle to the engine.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(super) commands: SyncSender<Command>,
    pub(super) queue: Arc<Semaphore>,
    pub(super) queue_length: usize,
    pub(super) notices: broadcast::Sender<Notice>,
    pub(super) work: Arc<Notify>,
}

impl Engine {
    /// Takes events in; returns when they are stored.
    ///
    /// # Errors
    /// The queue is full, or nothing can be stored.
    pub async fn events(&self, events: Vec<Event>) -> Result<Taken, EngineError> {
        if events.is_empty() {
            return Ok(Taken::default());
        }
        let busy = EngineError::Busy(self.queue_length);
        // A request with more events than the queue holds gets all of it.
        let count = events.len().min(self.queue_length) as u32;
        let permit = Arc::clone(&self.queue).try_acquire_many_owned(count);
        let permit = permit.map_err(|_| busy.clone())?;
        let (reply, taken) = oneshot::channel();
        let command = Command::Events {
            events,
            reply,
            permit,
        };
        match self.commands.try_send(command) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(busy),
            Err(TrySendError::Disconnected(_)) => return Err(EngineError::Stopped),
        }
        taken.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// Gives the policy anything but a finding; returns when it is stored.
    ///
    /// # Errors
    /// The policy refused it, or nothing can be stored.
    pub async fn order(&self, what: What) -> Result<Taken, EngineError> {
        let (reply, taken) = oneshot::channel();
        self.send(Command::Order { what, reply }).await?;
        let mut taken: Taken = taken.await.unwrap_or(Err(EngineError::Stopped))?;
        match taken.refused.take() {
            Some(refused) => Err(EngineError::Refused(refused)),
            None => Ok(taken),
        }
    }

    /// Sets how far an evacuation is, and lets the policy know; `false` if it was not before that. Returns when it is stored.
    ///
    /// # Errors
    /// Nothing can be stored.
    pub async fn act(
        &self,
        suggestion: u64,
        phase: ActionPhase,
        note: String,
    ) -> Result<bool, EngineError> {
        let (reply, set) = oneshot::channel();
        let command = Command::Act {
            suggestion,
            phase,
            note,
            reply,
        };
        self.send(command).await?;
        set.await.unwrap_or(Err(EngineError::Stopped))
    }

    /// Reads the state or the store.
    ///
    /// # Errors
    /// The engine has stopped.
    pub async fn query<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Machine, &Store) -> T + Send + 'static,
    ) -> Result<T, EngineError> {
        let (reply, answer) = oneshot::channel();
        let query = Box::new(move |machine: &Machine, store: &Store| {
            // Whoever asked may be gone.
            let _ = reply.send(read(machine, store));
        });
        self.send(Command::Query(query)).await?;
        answer.await.map_err(|_| EngineError::Stopped)
    }

    /// Why nothing can be stored; `None` if it can.
    ///
    /// # Errors
    /// The engine has stopped.
    pub async fn problem(&self) -> Result<Option<String>, EngineError> {
        let (reply, problem) = oneshot::channel();
        self.send(Command::Problem { reply }).await?;
        problem.await.map_err(|_| EngineError::Stopped)
    }

    /// Saves the state and ends the thread.
    pub async fn stop(&self) {
        let (reply, stopped) = oneshot::channel();
        if self.send(Command::Stop { reply }).await.is_ok() {
            // An error means that it has stopped.
            let _ = stopped.await;
        }
    }

    /// What happens from now on. A receiver that is too slow misses the oldest.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// Waits for an evacuation that was decided.
    pub async fn work(&self) {
        self.work.notified().await;
    }

    /// Number of events that wait to be stored.
    pub fn queued(&self) -> usize {
        self.queue_length - self.queue.available_permits()
    }

    /// Sends what must not be lost: waits while the queue is full.
    async fn send(&self, mut command: Command) -> Result<(), EngineError> {
        loop {
            match self.commands.try_send(command) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(EngineError::Stopped),
                Err(TrySendError::Full(back)) => command = back,
            }
            tokio::time::sleep(FULL_WAIT).await;
        }
    }
}

/// The part of the queue that events take until they are stored.
pub(super) type Permit = OwnedSemaphorePermit;

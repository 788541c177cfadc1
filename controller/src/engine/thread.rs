//! The thread of the engine.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use bellwether_core::policy::What;
use bellwether_core::units::Time;
use tokio::sync::{Notify, Semaphore, broadcast, oneshot};

use super::clock::Clock;
use super::command::{Command, Notice, Turn};
use super::handle::{Engine, EngineError};
use super::load::{OpenError, load};
use super::machine::{Machine, TICKS_MAX};
use super::settings;
use crate::config::Config;
use crate::log;
use crate::store::{SavedState, Store, StoreError};

/// Maximum number of commands that wait.
const COMMANDS_MAX: usize = 1024;
/// Maximum number of commands that are stored at once.
const BATCH_MAX: usize = 256;
/// Notices that a slow reader may lag behind.
const NOTICES_MAX: usize = 4096;
/// After a failure of the store, it is tried again after this time.
const REPAIR: Duration = Duration::from_secs(2);
/// The state is saved at least this often while something is taken in.
const SAVE: Duration = Duration::from_secs(3600);
const DAY_SEC: f64 = 86_400.0;

/// The thread.
pub(super) struct Thread {
    pub(super) config: Config,
    pub(super) clock: Clock,
    pub(super) store: Store,
    pub(super) machine: Machine,
    /// The last entry.
    pub(super) seq: i64,
    /// Entries since the state was saved.
    pub(super) unsaved: usize,
    pub(super) saved: Instant,
    /// The time of the last entry.
    pub(super) recorded: Time,
    /// When refused findings were last logged.
    pub(super) complained: Option<Instant>,
    /// Why nothing can be stored, and since when.
    pub(super) problem: Option<(String, Instant)>,
    pub(super) notices: broadcast::Sender<Notice>,
    pub(super) work: Arc<Notify>,
}

impl Engine {
    /// Opens the store, restores the state and starts the thread.
    ///
    /// # Errors
    /// The store, the options or the saved state cannot be used.
    pub fn start(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let store = Store::open(config.store.path.as_deref())?;
        let (machine, seq) = load(config, &store)?;
        let (commands, received) = sync_channel(COMMANDS_MAX);
        let (notices, _) = broadcast::channel(NOTICES_MAX);
        let work = Arc::new(Notify::new());
        let mut thread = Thread {
            config: config.clone(),
            clock,
            store,
            recorded: machine.at(),
            machine,
            seq,
            unsaved: 0,
            saved: Instant::now(),
            complained: None,
            problem: None,
            notices: notices.clone(),
            work: Arc::clone(&work),
        };
        // The time for which the controller did not run ends with an entry, as every stretch of ticks does.
        thread.store.begin()?;
        let mut turn = Turn::default();
        thread.start_again(&mut turn)?;
        thread.store.commit()?;
        thread.publish(turn, None);
        let builder = std::thread::Builder::new().name("engine".into());
        let run = builder.spawn(move || thread.run(&received));
        run.map_err(|error| {
            StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        })?;
        Ok(Self {
            commands,
            queue: Arc::new(Semaphore::new(config.ingest.queue_length)),
            queue_length: config.ingest.queue_length,
            notices,
            work,
        })
    }
}

impl Thread {
    fn run(mut self, commands: &Receiver<Command>) {
        loop {
            let wait = self.machine.next_tick().seconds_since((self.clock)());
            let wait = Duration::from_secs_f64(wait.clamp(0.0, 60.0));
            let mut batch = Vec::new();
            match commands.recv_timeout(wait) {
                Ok(command) => batch.push(command),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while batch.len() < BATCH_MAX
                && let Ok(command) = commands.try_recv()
            {
                batch.push(command);
            }
            if let Some(reply) = self.turn(batch) {
                self.finish();
                drop(self);
                // Whoever asked may be gone.
                let _ = reply.send(());
                return;
            }
        }
        self.finish();
    }

    /// Does what was asked for; gives the reply to a stop.
    fn turn(&mut self, batch: Vec<Command>) -> Option<oneshot::Sender<()>> {
        self.repair();
        let mut turn = Turn::default();
        let mut stop = None;
        let mut queries = Vec::new();
        let mut result = match self.problem {
            None => self.store.begin(),
            Some(_) => Ok(()),
        };
        for command in batch {
            match command {
                Command::Query(query) => queries.push(query),
                Command::Problem { reply } => {
                    // Whoever asked may be gone.
                    let _ = reply.send(self.problem.as_ref().map(|(why, _)| why.clone()));
                }
                Command::Stop { reply } => stop = Some(reply),
                command => {
                    let done = self.take(command, &mut turn, result.is_ok());
                    result = result.and(done);
                }
            }
        }
        if self.problem.is_none() {
            let done = result.and_then(|()| self.pass(&mut turn));
            let done = done.and_then(|()| self.store.commit());
            if let Err(error) = done {
                self.store.rollback();
                let why = error.to_string();
                log::error(&format!(
                    "nothing can be stored, and nothing is decided: {why}"
                ));
                self.problem = Some((why, Instant::now()));
            }
        }
        let failed = self.problem.as_ref();
        let failed = failed.map(|(why, _)| EngineError::Store(why.clone()));
        self.publish(turn, failed.as_ref());
        for query in queries {
            query(&self.machine, &self.store);
        }
        stop
    }

    fn publish(&self, turn: Turn, failed: Option<&EngineError>) {
        for reply in turn.replies {
            reply(failed);
        }
        if failed.is_some() {
            return;
        }
        for notice in turn.notices {
            // Without a receiver, nobody watches.
            let _ = self.notices.send(notice);
        }
        if turn.has_work {
            self.work.notify_one();
        }
    }

    /// After a failure, the state in memory is ahead of the store: it is loaded again.
    fn repair(&mut self) {
        let is_due = |(_, since): &(String, Instant)| since.elapsed() >= REPAIR;
        if !self.problem.as_ref().is_some_and(is_due) {
            return;
        }
        self.store.rollback();
        let mut turn = Turn::default();
        let loaded = load(&self.config, &self.store).and_then(|(machine, seq)| {
            (self.machine, self.seq) = (machine, seq);
            self.recorded = self.machine.at();
            self.store.begin()?;
            self.start_again(&mut turn)?;
            Ok(self.store.commit()?)
        });
        match loaded {
            Ok(()) => {
                self.problem = None;
                log::warning("the store can be written again");
                self.publish(turn, None);
            }
            Err(error) => {
                self.store.rollback();
                self.problem = Some((error.to_string(), Instant::now()));
            }
        }
    }

    /// The first entry after a start.
    fn start_again(&mut self, turn: &mut Turn) -> Result<(), StoreError> {
        self.record(What::Tick, turn)?;
        let at = self.machine.at().secs();
        self.store
            .audit(at, "start", "", &format!("{{\"journal\":{}}}", self.seq))?;
        turn.has_work = true;
        Ok(())
    }

    /// The present, never before what was taken in last.
    pub(super) fn now(&self) -> Time {
        Time::from_secs((self.clock)().secs().max(self.machine.at().secs()))
    }

    /// Lets time pass, and saves the state when it is time to.
    fn pass(&mut self, turn: &mut Turn) -> Result<(), StoreError> {
        let now = self.now();
        let stretch = TICKS_MAX as f64 / 2.0 * self.config.ingest.tick_sec;
        if now.seconds_since(self.recorded) >= stretch {
            self.record(What::Tick, turn)?;
        } else {
            let effects = self.machine.advance(now);
            self.keep(&effects, turn)?;
        }
        let is_full = self.unsaved >= self.config.store.snapshot_inputs;
        if is_full || (self.unsaved > 0 && self.saved.elapsed() >= SAVE) {
            self.save()?;
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), StoreError> {
        self.store.save(&SavedState {
            seq: self.seq,
            config: settings::text(&self.config),
            snapshot: self.machine.snapshot(),
        })?;
        let keep = &self.config.store;
        let before = self.machine.at().secs() - keep.keep_days * DAY_SEC;
        self.store.prune(before, keep.max_events, self.seq)?;
        self.unsaved = 0;
        self.saved = Instant::now();
        Ok(())
    }

    /// Saves the state at the end.
    fn finish(&mut self) {
        let saved = match self.problem {
            Some(_) => return,
            None => self.store.begin().and_then(|()| self.save()),
        };
        if let Err(error) = saved.and_then(|()| self.store.commit()) {
            // The journal has everything.
            log::warning(&format!("the state was not saved: {error}"));
        }
    }
}

//! Saving the learned state, on a thread of its own.
//!
//! Whoever owns the detector serializes its state and hands it to a [`Saver`], whose thread writes it and waits for the disk.
//! Neither the agent's threads nor the detector's ever do. The owner calls [`Saver::turn`] about once a second, whether anything
//! arrives or not: a state is due
//!
//! - after the interval of the configuration,
//! - [`AFTER_EVENT`] after an event, so that a crash does not report it twice, but no sooner than [`GAP`] after the last save, or ten
//!   times as long as that took, so that a large state on a slow disk is not written all the time,
//! - [`RETRY`] after a failure,
//! - at once when it is [requested](Saver::request),
//!
//! and only if something was learned since the last save. There is never more than one serialized state per detector, except at
//! the very end.
//!
//! ```
//! use std::sync::mpsc::channel;
//! use std::time::{Duration, Instant};
//! use bellwether_agent::saver::{Report, Saver};
//!
//! let (disk, written) = channel();
//! let write = move |state: String| disk.send(state).map_err(|error| error.to_string());
//! let mut saver = Saver::start("example", Duration::from_secs(300), write, || ())?;
//! saver.learned();
//! saver.request();
//! assert_eq!(saver.turn(Instant::now(), || Ok("state".to_owned())), None);
//! assert_eq!(written.recv().unwrap(), "state");
//! saver.learned();
//! let report = saver.finish(|| Ok("last".to_owned()), Duration::from_secs(10));
//! assert_eq!(report, Some(Report::Saved));
//! assert_eq!(written.recv().unwrap(), "last");
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::guard::panic_message;
use crate::thread::spawn;

/// The time from an event to the save that it brings about.
pub const AFTER_EVENT: Duration = Duration::from_secs(1);

/// The shortest time between two saves that events bring about.
pub const GAP: Duration = Duration::from_secs(5);

/// The longest time from a failed save to the next attempt.
pub const RETRY: Duration = Duration::from_secs(30);

/// When a state is due.
#[derive(Debug, Clone)]
struct Schedule {
    interval: Duration,
    next: Instant,
    /// No event brings a save about before this.
    earliest: Instant,
    /// Something was learned that no save has taken up yet.
    unsaved: bool,
    requested: bool,
}

impl Schedule {
    fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            next: now + interval,
            earliest: now,
            unsaved: false,
            requested: false,
        }
    }

    fn event(&mut self, now: Instant) {
        self.unsaved = true;
        self.next = self.next.min(self.earliest.max(now + AFTER_EVENT));
    }

    /// Whether a state is to be taken now; it then counts as taken.
    fn take(&mut self, now: Instant) -> bool {
        let requested = std::mem::take(&mut self.requested);
        let due = now >= self.next;
        if due {
            self.next = now + self.interval;
        }
        (due || requested) && std::mem::take(&mut self.unsaved)
    }

    /// A save has ended at `now`, which took so long.
    fn ended(&mut self, now: Instant, took: Duration, failed: bool) {
        self.earliest = now + GAP.max(10 * took);
        if failed {
            self.unsaved = true;
            self.next = self.next.min(self.earliest.max(now + RETRY));
        }
    }
}

/// What became of a save.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It is on the disk.
    Saved,
    /// It is not; it is tried again. To be logged as a warning, by a limiter.
    Failed {
        /// How many saves have failed so far.
        failures: u64,
        /// Why this one did.
        reason: String,
    },
    /// The last one was not on the disk in time, and is not waited for any longer.
    TimedOut,
}

impl Report {
    /// The line for the log, where something is wrong.
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::Saved => None,
            Self::Failed { failures, reason } => Some(format!(
                "cannot save the learned state: {reason} (failures so far: {failures})"
            )),
            Self::TimedOut => Some(
                "the learned state was not on the disk in time: shutting down without waiting for it any longer".into(),
            ),
        }
    }
}

/// What the owner and the thread share.
struct Shared<S> {
    mailbox: Mutex<Mailbox<S>>,
    /// There is something to write, or nothing is going to come any more.
    wake: Condvar,
    /// The thread has ended.
    ended: Condvar,
}

struct Mailbox<S> {
    state: Option<S>,
    writing: bool,
    closed: bool,
    ended: bool,
    /// The result of the last save that has ended, with when and how long.
    result: Option<(Result<(), String>, Instant, Duration)>,
}

impl<S> Mailbox<S> {
    fn is_busy(&self) -> bool {
        self.writing || self.state.is_some()
    }
}

/// See the [module](self). `S` is a serialized state.
pub struct Saver<S> {
    shared: Arc<Shared<S>>,
    thread: Option<JoinHandle<()>>,
    schedule: Schedule,
    failures: u64,
}

impl<S> std::fmt::Debug for Saver<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Saver")
            .field("schedule", &self.schedule)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl<S: Send + 'static> Saver<S> {
    /// Starts the thread. `write` writes a state and waits for the disk; a panic in it is a failed save. `done` is called after
    /// each save, for an owner who waits for one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        thread: &str,
        interval: Duration,
        write: impl FnMut(S) -> Result<(), String> + Send + 'static,
        done: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            mailbox: Mutex::new(Mailbox {
                state: None,
                writing: false,
                closed: false,
                ended: false,
                result: None,
            }),
            wake: Condvar::new(),
            ended: Condvar::new(),
        });
        let of_thread = shared.clone();
        Ok(Self {
            thread: Some(spawn(thread, move || of_thread.work(write, done))?),
            shared,
            schedule: Schedule::new(interval, Instant::now()),
            failures: 0,
        })
    }

    /// Something was learned that is worth saving.
    pub fn learned(&mut self) {
        self.schedule.unsaved = true;
    }

    /// There was an event at `now`: the state is saved soon.
    pub fn event(&mut self, now: Instant) {
        self.schedule.event(now);
    }

    /// Has the next turn take the state, where anything was learned.
    pub fn request(&mut self) {
        self.schedule.requested = true;
    }

    /// Whether what was requested is not on the disk yet.
    pub fn is_pending(&self) -> bool {
        self.schedule.requested || self.shared.mailbox.lock().is_busy()
    }

    /// Hands over what `serialize` gives, where a state is due and the last one is written. Gives what became of the last one,
    /// once.
    pub fn turn(
        &mut self,
        now: Instant,
        serialize: impl FnOnce() -> Result<S, String>,
    ) -> Option<Report> {
        let (result, is_busy) = {
            let mut mailbox = self.shared.mailbox.lock();
            (mailbox.result.take(), mailbox.is_busy())
        };
        let report = result.map(|(result, at, took)| self.ended(result, at, took));
        if is_busy || !self.schedule.take(now) {
            return report;
        }
        match serialize() {
            Ok(state) => {
                self.shared.mailbox.lock().state = Some(state);
                self.shared.wake.notify_one();
                report
            }
            Err(reason) => Some(self.ended(Err(reason), now, Duration::ZERO)),
        }
    }

    fn ended(&mut self, result: Result<(), String>, at: Instant, took: Duration) -> Report {
        self.schedule.ended(at, took, result.is_err());
        match result {
            Ok(()) => Report::Saved,
            Err(reason) => {
                self.failures += 1;
                Report::Failed {
                    failures: self.failures,
                    reason,
                }
            }
        }
    }

    /// Saves what was learned since the last save, if anything, and ends the thread; waits for both at most for `timeout`. Gives
    /// what became of the last save, or of the one before where there was nothing more to save.
    pub fn finish(
        mut self,
        serialize: impl FnOnce() -> Result<S, String>,
        timeout: Duration,
    ) -> Option<Report> {
        let deadline = Instant::now() + timeout;
        let mut mailbox = self.shared.mailbox.lock();
        // What failed last is to be tried again, too.
        let has_failed = matches!(mailbox.result, Some((Err(_), ..)));
        // A state that is being written may still fail: the last one is written in any case.
        let unsaved = self.schedule.unsaved || has_failed || mailbox.writing;
        let mut failed = None;
        if unsaved {
            drop(mailbox);
            let state = serialize();
            mailbox = self.shared.mailbox.lock();
            match state {
                // One that waits is older.
                Ok(state) => mailbox.state = Some(state),
                Err(reason) => failed = Some(reason),
            }
        }
        mailbox.closed = true;
        self.shared.wake.notify_one();
        while !mailbox.ended {
            if self
                .shared
                .ended
                .wait_until(&mut mailbox, deadline)
                .timed_out()
                && !mailbox.ended
            {
                return Some(Report::TimedOut);
            }
        }
        let result = mailbox.result.take();
        drop(mailbox);
        let report = match failed {
            Some(reason) => Some(self.ended(Err(reason), deadline, Duration::ZERO)),
            None => result.map(|(result, at, took)| self.ended(result, at, took)),
        };
        // It has nothing left to do, and no panic ends it.
        self.thread.take().map(JoinHandle::join);
        report
    }
}

impl<S> Drop for Saver<S> {
    /// The thread ends after what it has been given, and is not waited for.
    fn drop(&mut self) {
        self.shared.mailbox.lock().closed = true;
        self.shared.wake.notify_one();
    }
}

impl<S> Shared<S> {
    fn work(&self, mut write: impl FnMut(S) -> Result<(), String>, done: impl Fn()) {
        while let Some(state) = self.next() {
            let began = Instant::now();
            let written = catch_unwind(AssertUnwindSafe(|| write(state)));
            let result = written
                .unwrap_or_else(|cause| Err(format!("internal error: {}", panic_message(&*cause))));
            let mut mailbox = self.mailbox.lock();
            mailbox.writing = false;
            mailbox.result = Some((result, Instant::now(), began.elapsed()));
            drop(mailbox);
            catch_unwind(AssertUnwindSafe(&done)).ok();
        }
        self.mailbox.lock().ended = true;
        self.ended.notify_all();
    }

    fn next(&self) -> Option<S> {
        let mut mailbox = self.mailbox.lock();
        loop {
            if let Some(state) = mailbox.state.take() {
                mailbox.writing = true;
                return Some(state);
            }
            if mailbox.closed {
                return None;
            }
            self.wake.wait(&mut mailbox);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    const INTERVAL: Duration = Duration::from_secs(300);
    const PATIENCE: Duration = Duration::from_secs(60);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn schedule() -> (Schedule, Instant) {
        let now = Instant::now();
        (Schedule::new(INTERVAL, now), now)
    }

    #[test]
    fn what_was_learned_is_saved_once_an_interval_and_nothing_new_never() {
        let (mut schedule, start) = schedule();
        schedule.unsaved = true;
        let learning = (0..1000).filter(|&s| {
            schedule.unsaved = true;
            schedule.take(start + seconds(s))
        });
        assert_eq!(learning.collect::<Vec<_>>(), [300, 600, 900]);
        schedule.take(start + seconds(1200));
        assert!(!(1201..9999).any(|s| schedule.take(start + seconds(s))));
    }

    #[test]
    fn an_event_brings_a_save_about_soon_and_many_events_no_storm_of_them() {
        let (mut schedule, start) = schedule();
        schedule.event(start);
        assert!(!schedule.take(start));
        assert!(schedule.take(start + AFTER_EVENT));
        schedule.ended(start + AFTER_EVENT, seconds(2), false);
        let saves = (2..62).filter(|&s| {
            let now = start + seconds(s);
            schedule.event(now);
            let due = schedule.take(now);
            if due {
                schedule.ended(now, seconds(2), false);
            }
            due
        });
        // Ten times as long as a save takes.
        assert_eq!(saves.collect::<Vec<_>>(), [21, 41, 61]);
    }

    #[test]
    fn a_failed_save_is_tried_again_sooner_than_the_interval_says() {
        let (mut schedule, start) = schedule();
        schedule.unsaved = true;
        assert!(schedule.take(start + INTERVAL));
        schedule.ended(start + INTERVAL, seconds(0), true);
        assert!(!schedule.take(start + INTERVAL + seconds(29)));
        assert!(schedule.take(start + INTERVAL + RETRY));
    }

    /// A saver whose writes each wait for a word, and give the states that they get.
    fn held() -> (Saver<u32>, Sender<Result<(), String>>, Receiver<u32>) {
        let (allow, allowed) = channel();
        let (tell, written) = channel();
        let write = move |state| {
            let result = allowed.recv().unwrap_or(Ok(()));
            tell.send(state).ok();
            result
        };
        let saver = Saver::start("test", INTERVAL, write, || ()).unwrap();
        (saver, allow, written)
    }

    /// Takes turns until there is a report.
    fn report(saver: &mut Saver<u32>) -> Report {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let report = saver.turn(Instant::now(), || panic!("nothing is due"));
            if let Some(report) = report {
                return report;
            }
            assert!(Instant::now() < deadline, "no report");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_disk_that_hangs_holds_up_nobody_and_no_second_state_is_serialized_meanwhile() {
        let (mut saver, allow, written) = held();
        saver.learned();
        saver.request();
        assert_eq!(saver.turn(Instant::now(), || Ok(1)), None);
        saver.learned();
        saver.request();
        for _ in 0..3 {
            assert_eq!(
                saver.turn(Instant::now(), || panic!("one state is waiting")),
                None
            );
        }
        assert!(saver.is_pending());
        allow.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), 1);
        // The request was not forgotten.
        let deadline = Instant::now() + PATIENCE;
        while saver.schedule.requested {
            saver.turn(Instant::now(), || Ok(2));
            assert!(Instant::now() < deadline);
        }
        allow.send(Ok(())).unwrap();
        assert_eq!(written.recv().unwrap(), 2);
        assert_eq!(report(&mut saver), Report::Saved);
        assert!(!saver.is_pending());
    }

    #[test]
    fn failures_and_panics_are_counted_and_end_nothing() {
        let mut results = vec![Ok(()), Err("disk full".to_owned())];
        let write = move |_| results.pop().expect("out of the blue");
        let mut saver = Saver::start("test", INTERVAL, write, || ()).unwrap();
        let mut reports = Vec::new();
        for state in 0..3 {
            saver.learned();
            saver.request();
            saver.turn(Instant::now(), || Ok(state));
            reports.push(report(&mut saver));
        }
        let failed = |failures, reason: &str| Report::Failed {
            failures,
            reason: reason.into(),
        };
        let panic = "internal error: out of the blue";
        assert_eq!(
            reports,
            [failed(1, "disk full"), Report::Saved, failed(2, panic)]
        );
        assert_eq!(
            reports[0].warning().unwrap(),
            "cannot save the learned state: disk full (failures so far: 1)"
        );
        saver.learned();
        saver.request();
        let serialize = || Err("it cannot be serialized".to_owned());
        assert_eq!(
            saver.turn(Instant::now(), serialize),
            Some(failed(3, "it cannot be serialized"))
        );
    }

    #[test]
    fn the_last_state_is_saved_at_the_end_and_an_older_one_that_waits_is_not() {
        let (mut saver, allow, written) = held();
        saver.learned();
        saver.request();
        saver.turn(Instant::now(), || Ok(1));
        saver.learned();
        allow.send(Ok(())).unwrap();
        allow.send(Ok(())).unwrap();
        assert_eq!(saver.finish(|| Ok(2), PATIENCE), Some(Report::Saved));
        let all: Vec<u32> = written.iter().collect();
        assert_eq!(all.last(), Some(&2));
    }

    #[test]
    fn a_save_that_failed_is_tried_once_more_at_the_end() {
        let (mut saver, allow, written) = held();
        saver.learned();
        saver.request();
        saver.turn(Instant::now(), || Ok(1));
        allow.send(Err("disk full".into())).unwrap();
        assert_eq!(written.recv().unwrap(), 1);
        allow.send(Ok(())).unwrap();
        assert_eq!(saver.finish(|| Ok(2), PATIENCE), Some(Report::Saved));
        assert_eq!(written.recv().unwrap(), 2);
    }

    #[test]
    fn with_nothing_to_save_the_end_is_quick_and_writes_nothing() {
        let (saver, _allow, written) = held();
        assert_eq!(
            saver.finish(|| panic!("nothing was learned"), PATIENCE),
            None
        );
        assert_eq!(written.iter().count(), 0);
    }

    #[test]
    fn a_disk_that_hangs_does_not_hang_the_end() {
        let (mut saver, allow, _written) = held();
        saver.learned();
        let began = Instant::now();
        let report = saver.finish(|| Ok(1), Duration::from_millis(50));
        assert_eq!(report, Some(Report::TimedOut));
        assert!(began.elapsed() < PATIENCE);
        drop(allow);
    }

    #[test]
    fn an_owner_who_waits_is_called_after_each_save() {
        let (call, called) = channel();
        let done = move || call.send(()).unwrap();
        let mut saver = Saver::start("test", INTERVAL, |_: u32| Ok(()), done).unwrap();
        saver.learned();
        saver.request();
        saver.turn(Instant::now(), || Ok(1));
        called.recv_timeout(PATIENCE).unwrap();
        assert!(!saver.is_pending());
    }
}

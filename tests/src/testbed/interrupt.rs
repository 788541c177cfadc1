//! Cleaning up in every way in which a program can end: normally, by a panic, and by SIGINT, SIGTERM or SIGHUP.
//!
//! What SIGKILL leaves behind (control groups and a folder, never a process) the next test bed sweeps away.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

type Action = Box<dyn FnOnce() + Send>;

/// Actions not yet run, oldest first.
static PENDING: Mutex<Vec<(u64, Action)>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Runs its action exactly once: when dropped, or when a signal ends the program, whichever is first.
#[must_use = "dropped at once, it cleans up at once"]
#[derive(Debug)]
pub struct Cleanup(u64);

impl Cleanup {
    /// From now on `action` will be run. Actions run newest first.
    pub fn new(action: impl FnOnce() + Send + 'static) -> Self {
        listen();
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        pending().push((id, Box::new(action)));
        Self(id)
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let action = {
            let mut pending = pending();
            pending
                .iter()
                .position(|(id, _)| *id == self.0)
                .map(|at| pending.remove(at).1)
        };
        if let Some(action) = action {
            action();
        }
    }
}

fn pending() -> std::sync::MutexGuard<'static, Vec<(u64, Action)>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts, once, the thread that waits for signals.
fn listen() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).expect("signal handlers can be installed");
        std::thread::spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // The lock is not held while an action runs: a drop on another thread may want it.
                loop {
                    let newest = pending().pop();
                    let Some((_, action)) = newest else { break };
                    action();
                }
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn an_action_runs_once_when_dropped_even_in_a_panic() {
        let runs = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&runs);
        let unwound = std::panic::catch_unwind(move || {
            let _cleanup = Cleanup::new(move || {
                counter.fetch_add(1, Ordering::SeqCst);
            });
            std::panic::resume_unwind(Box::new("as a failing test would"));
        });
        assert!(unwound.is_err());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

//! The housekeeper: a thread that does what passing time brings about, whether records arrive or not.
//!
//! One thread per process serves the filters of all pipelines. It is started with the first of them, which is after the host has
//! become a daemon, and is joined with the last. The pipeline never waits for it.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::host::guard;

/// How often it looks after each.
const TICK: Duration = Duration::from_secs(1);

/// What is looked after.
pub trait Kept: Send + Sync {
    /// Does what is due. Runs on the housekeeper's thread, about once a second.
    fn tick(&self);
}

/// Tells the thread to end.
#[derive(Debug, Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

struct Keeper {
    kept: Vec<Arc<dyn Kept>>,
    thread: Option<(JoinHandle<()>, Arc<Stop>)>,
}

static KEEPER: Mutex<Keeper> = Mutex::new(Keeper {
    kept: Vec::new(),
    thread: None,
});

/// Looks after `kept` until it [leaves](leave).
///
/// # Errors
/// The thread cannot be started.
pub fn join(kept: Arc<dyn Kept>) -> io::Result<()> {
    let mut keeper = KEEPER.lock();
    if keeper.thread.is_none() {
        let stop = Arc::new(Stop::default());
        let of_thread = stop.clone();
        let builder = thread::Builder::new().name("bellwether".into());
        let thread = without_signals(|| builder.spawn(move || keep(&of_thread)))?;
        keeper.thread = Some((thread, stop));
    }
    keeper.kept.push(kept);
    Ok(())
}

/// Looks after `kept` no longer; a tick that is under way is not waited for, unless it was the last one kept.
pub fn leave(kept: &Arc<dyn Kept>) {
    let mut keeper = KEEPER.lock();
    keeper.kept.retain(|other| !Arc::ptr_eq(other, kept));
    if !keeper.kept.is_empty() {
        return;
    }
    let thread = keeper.thread.take();
    // Not waited for with the lock held, which the thread takes.
    drop(keeper);
    if let Some((thread, stop)) = thread {
        *stop.asked.lock() = true;
        stop.changed.notify_all();
        // A panic within a tick ends there.
        thread.join().ok();
    }
}

fn keep(stop: &Stop) {
    let mut asked = stop.asked.lock();
    while !*asked {
        stop.changed.wait_for(&mut asked, TICK);
        if !*asked {
            MutexGuard::unlocked(&mut asked, || {
                let all = KEEPER.lock().kept.clone();
                all.iter().for_each(|kept| guard((), || kept.tick()));
            });
        }
    }
}

/// Runs `start` with the signals blocked that a process is sent: a thread that it starts has them blocked from its first moment
/// on, so that the host's own threads get them.
fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are filled before they are read, and the mask is put back as it was.
    unsafe {
        let mut blocked: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut blocked);
        // What a thread brings upon itself has to reach the host's handlers.
        for own in [
            libc::SIGSEGV,
            libc::SIGBUS,
            libc::SIGFPE,
            libc::SIGILL,
            libc::SIGABRT,
        ] {
            libc::sigdelset(&mut blocked, own);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut before);
        let started = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        started
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Kept for Counted {
        fn tick(&self) {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
                panic!("the first tick goes wrong");
            }
        }
    }

    /// The one test that has the thread: there is one per process.
    #[test]
    fn all_are_looked_after_until_the_last_has_left_and_a_panic_ends_with_its_tick() {
        let counted = [Arc::new(Counted::default()), Arc::new(Counted::default())];
        let kept = counted.each_ref().map(|c| c.clone() as Arc<dyn Kept>);
        kept.iter().for_each(|kept| join(kept.clone()).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while counted.iter().any(|c| c.0.load(Ordering::Relaxed) < 2) {
            assert!(Instant::now() < deadline, "no tick");
            thread::sleep(Duration::from_millis(20));
        }
        leave(&kept[0]);
        assert!(KEEPER.lock().thread.is_some());
        leave(&kept[1]);
        leave(&kept[1]);
        assert!(KEEPER.lock().thread.is_none());
        let ticks = counted[1].0.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(1200));
        assert_eq!(counted[1].0.load(Ordering::Relaxed), ticks);
    }
}

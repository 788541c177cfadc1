//! The housekeeper: a thread that does periodic work, whether records arrive or not.
//!
//! One thread per process serves the filters of all pipelines. It is started with the first of them, which is after the host has
//! become a daemon, and is joined with the last. The pipeline never waits for it, and it never waits for a disk.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_agent::thread::spawn;
use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::host::guard;

/// The period.
const TICK: Duration = Duration::from_secs(1);

/// What has periodic work.
pub trait Periodic: Send + Sync {
    /// Does what is due. Runs on the housekeeper's thread, about once a second.
    fn tick(&self);
}

/// Has the thread end.
#[derive(Debug, Default)]
struct Stop {
    requested: Mutex<bool>,
    changed: Condvar,
}

struct Housekeeper {
    members: Vec<Arc<dyn Periodic>>,
    thread: Option<(JoinHandle<()>, Arc<Stop>)>,
}

static HOUSEKEEPER: Mutex<Housekeeper> = Mutex::new(Housekeeper {
    members: Vec::new(),
    thread: None,
});

/// Has `member` tick until it [leaves](leave).
///
/// # Errors
/// The thread cannot be started.
pub fn join(member: Arc<dyn Periodic>) -> io::Result<()> {
    let mut housekeeper = HOUSEKEEPER.lock();
    if housekeeper.thread.is_none() {
        let stop = Arc::new(Stop::default());
        let of_thread = stop.clone();
        let thread = spawn("bellwether", move || run(&of_thread))?;
        housekeeper.thread = Some((thread, stop));
    }
    housekeeper.members.push(member);
    Ok(())
}

/// Has `member` tick no longer. A tick that is in progress is not waited for, unless it was the last member.
pub fn leave(member: &Arc<dyn Periodic>) {
    let mut housekeeper = HOUSEKEEPER.lock();
    housekeeper
        .members
        .retain(|other| !Arc::ptr_eq(other, member));
    if !housekeeper.members.is_empty() {
        return;
    }
    let thread = housekeeper.thread.take();
    // Not waited for with the lock held, which the thread takes.
    drop(housekeeper);
    if let Some((thread, stop)) = thread {
        *stop.requested.lock() = true;
        stop.changed.notify_all();
        // A panic within a tick ends there.
        thread.join().ok();
    }
}

fn run(stop: &Stop) {
    let mut requested = stop.requested.lock();
    while !*requested {
        stop.changed.wait_for(&mut requested, TICK);
        if !*requested {
            MutexGuard::unlocked(&mut requested, || {
                let members = HOUSEKEEPER.lock().members.clone();
                members
                    .iter()
                    .for_each(|member| guard((), || member.tick()));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Periodic for Counted {
        fn tick(&self) {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
                panic!("the first tick goes wrong");
            }
        }
    }

    /// The one test that has the thread: there is one per process.
    #[test]
    fn all_members_tick_until_the_last_has_left_and_a_panic_ends_with_its_tick() {
        let counted = [Arc::new(Counted::default()), Arc::new(Counted::default())];
        let members = counted.each_ref().map(|c| c.clone() as Arc<dyn Periodic>);
        members
            .iter()
            .for_each(|member| join(member.clone()).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        while counted.iter().any(|c| c.0.load(Ordering::Relaxed) < 2) {
            assert!(Instant::now() < deadline, "no tick");
            std::thread::sleep(Duration::from_millis(20));
        }
        leave(&members[0]);
        assert!(HOUSEKEEPER.lock().thread.is_some());
        leave(&members[1]);
        leave(&members[1]);
        assert!(HOUSEKEEPER.lock().thread.is_none());
        let ticks = counted[1].0.load(Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(1200));
        assert_eq!(counted[1].0.load(Ordering::Relaxed), ticks);
    }
}

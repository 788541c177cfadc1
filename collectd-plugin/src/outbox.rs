//! A bounded queue of notifications, dispatched by a thread of its own.
//!
//! collectd hands a notification to all listeners before it returns, and one of them may hang. So nobody else waits for it: the
//! detector's thread puts events in here up to its capacity, and leaves the others with the detector, which keeps a
//! bounded number and saves them with its state.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bellwether_agent::thread::spawn;
use parking_lot::{Condvar, Mutex};

/// Maximum number that wait, besides the one that is being dispatched.
pub const CAPACITY: usize = 64;

#[derive(Debug)]
struct Inner<T> {
    waiting: VecDeque<T>,
    /// One is being dispatched.
    busy: bool,
    /// No more are to come.
    closed: bool,
    /// The thread has ended.
    ended: bool,
}

/// See the [module](self). `T` is what is dispatched.
#[derive(Debug)]
pub struct Outbox<T> {
    inner: Mutex<Inner<T>>,
    /// Something is waiting, or no more is to come.
    wake: Condvar,
    /// Something was dispatched, or the thread has ended.
    done: Condvar,
}

/// The thread that an [`Outbox`] is emptied by.
#[derive(Debug)]
pub struct Dispatcher<T> {
    outbox: Arc<Outbox<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Dispatcher<T> {
    /// Starts the thread, which hands everything to `dispatch` and calls `room` when more can come. A panic of `dispatch` is
    /// given to `panicked`, and ends neither the thread nor anything else.
    ///
    /// # Errors
    /// What the operating system says when it gives no thread.
    pub fn start(
        name: &str,
        mut dispatch: impl FnMut(T) + Send + 'static,
        room: impl Fn() + Send + 'static,
        panicked: impl Fn(&(dyn Any + Send)) + Send + 'static,
    ) -> std::io::Result<Self> {
        let outbox = Arc::new(Outbox {
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                busy: false,
                closed: false,
                ended: false,
            }),
            wake: Condvar::new(),
            done: Condvar::new(),
        });
        let theirs = outbox.clone();
        let work = move || {
            while let Some((next, left)) = theirs.next() {
                if let Err(cause) = catch_unwind(AssertUnwindSafe(|| dispatch(next))) {
                    panicked(&*cause);
                }
                theirs.dispatched();
                if left == CAPACITY / 2 {
                    room();
                }
            }
            theirs.inner.lock().ended = true;
            theirs.done.notify_all();
        };
        let thread = spawn(name, work)?;
        Ok(Self {
            outbox,
            thread: Some(thread),
        })
    }

    /// Whether one more can be put in.
    pub fn has_room(&self) -> bool {
        self.outbox.inner.lock().waiting.len() < CAPACITY
    }

    /// Puts one in; there should be room for it.
    pub fn put(&self, next: T) {
        self.outbox.inner.lock().waiting.push_back(next);
        self.outbox.wake.notify_one();
    }

    /// Waits until all are dispatched, at most until `deadline`; whether they are.
    pub fn wait_empty(&self, deadline: Instant) -> bool {
        let mut inner = self.outbox.inner.lock();
        while inner.busy || !inner.waiting.is_empty() {
            if self
                .outbox
                .done
                .wait_until(&mut inner, deadline)
                .timed_out()
            {
                return !inner.busy && inner.waiting.is_empty();
            }
        }
        true
    }

    /// Ends the thread. Waits at most for `timeout` for the one that is being dispatched; drops all others, and gives how many
    /// were not dispatched.
    pub fn end(mut self, timeout: Duration) -> usize {
        let deadline = Instant::now() + timeout;
        let mut inner = self.outbox.inner.lock();
        inner.closed = true;
        let dropped = inner.waiting.drain(..).count();
        self.outbox.wake.notify_one();
        while !inner.ended {
            if self
                .outbox
                .done
                .wait_until(&mut inner, deadline)
                .timed_out()
            {
                break;
            }
        }
        let (busy, ended) = (inner.busy, inner.ended);
        drop(inner);
        if let Some(thread) = self.thread.take()
            && ended
        {
            thread.join().ok();
        }
        dropped + usize::from(busy)
    }
}

impl<T> Drop for Dispatcher<T> {
    /// The thread ends after what waits, and is not waited for.
    fn drop(&mut self) {
        self.outbox.inner.lock().closed = true;
        self.outbox.wake.notify_one();
    }
}

impl<T> Outbox<T> {
    /// The next one, and how many wait behind it; `None` when no more are to come.
    fn next(&self) -> Option<(T, usize)> {
        let mut inner = self.inner.lock();
        loop {
            if let Some(next) = inner.waiting.pop_front() {
                inner.busy = true;
                return Some((next, inner.waiting.len()));
            }
            if inner.closed {
                return None;
            }
            self.wake.wait(&mut inner);
        }
    }

    fn dispatched(&self) {
        self.inner.lock().busy = false;
        self.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A dispatcher whose listener does `listen` with each, and how often it reported room.
    fn dispatcher(
        listen: impl FnMut(usize) + Send + 'static,
    ) -> (Dispatcher<usize>, Arc<AtomicUsize>) {
        let room = Arc::new(AtomicUsize::new(0));
        let reported = room.clone();
        let room_is = move || {
            reported.fetch_add(1, Ordering::Relaxed);
        };
        let started = Dispatcher::start("test", listen, room_is, |_| {});
        (started.expect("there are threads"), room)
    }

    #[test]
    fn all_are_dispatched_in_their_order() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let theirs = heard.clone();
        let (dispatcher, room) = dispatcher(move |n| theirs.lock().push(n));
        for n in 0..CAPACITY {
            dispatcher.put(n);
        }
        assert!(dispatcher.wait_empty(Instant::now() + Duration::from_secs(10)));
        assert!(room.load(Ordering::Relaxed) <= 1);
        assert_eq!(dispatcher.end(Duration::from_secs(10)), 0);
        assert_eq!(*heard.lock(), (0..CAPACITY).collect::<Vec<_>>());
    }

    #[test]
    fn a_listener_that_hangs_is_waited_for_no_longer_than_said_and_what_it_did_not_get_is_counted()
    {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (dispatcher, _) = dispatcher(move |_| {
            held.recv().ok();
        });
        for n in 0..10 {
            dispatcher.put(n);
        }
        let begun = Instant::now();
        assert!(!dispatcher.wait_empty(Instant::now() + Duration::from_millis(20)));
        assert_eq!(dispatcher.end(Duration::from_millis(20)), 10);
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(hold);
    }

    #[test]
    fn the_capacity_fills_while_a_listener_hangs_and_more_room_is_reported() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let (dispatcher, room) = dispatcher(move |_| {
            held.recv().ok();
        });
        let mut put = 0;
        while dispatcher.has_room() {
            dispatcher.put(put);
            put += 1;
        }
        assert!((CAPACITY..=CAPACITY + 1).contains(&put), "{put}");
        drop(hold);
        assert!(dispatcher.wait_empty(Instant::now() + Duration::from_secs(10)));
        assert_eq!(dispatcher.end(Duration::from_secs(10)), 0);
        assert_eq!(room.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_panic_of_a_listener_is_its_own() {
        let panics = Arc::new(AtomicUsize::new(0));
        let said = panics.clone();
        let listen = |n: usize| assert!(n > 0, "it is nought");
        let panicked = move |_: &(dyn Any + Send)| {
            said.fetch_add(1, Ordering::Relaxed);
        };
        let dispatcher =
            Dispatcher::start("test", listen, || {}, panicked).expect("there are threads");
        for n in 0..3 {
            dispatcher.put(n);
        }
        assert!(dispatcher.wait_empty(Instant::now() + Duration::from_secs(10)));
        assert_eq!(dispatcher.end(Duration::from_secs(10)), 0);
        assert_eq!(panics.load(Ordering::Relaxed), 1);
    }
}

//! The bounded queue between collectd's write threads and the detector's thread.
//!
//! Records are packed one behind the other into a buffer that the detector's thread swaps for its own empty one. So a
//! writer copies some hundred bytes under a lock that nobody holds for longer than that, allocates nothing once the buffers
//! have grown to what the site needs, and wakes the detector's thread at most once for a burst.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long the detector's thread lets records gather after the first one.
const GATHER: Duration = Duration::from_millis(50);

/// Room beyond the limit for changes of VMs' states, which are few and which no later record makes up for.
const STATES_EXTRA: usize = 4096;

/// The longest name that is kept, in bytes; collectd's are shorter (DATA_MAX_NAME_LEN is 128 by default).
const NAME_MAX: usize = 1024;

/// The names of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// collectd's host.
    pub host: &'a [u8],
    /// collectd's plugin instance.
    pub plugin_instance: &'a [u8],
    /// collectd's type instance: the disk or the network interface.
    pub type_instance: &'a [u8],
    /// The address of the collectd that sent it over the network; empty where it was read by this one.
    pub sender: &'a [u8],
}

/// What a record holds besides its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fixed {
    /// What it is, as `virt` numbers it, or `resources` the values that are none of a VM.
    pub kind: u8,
    /// collectd's time of the sample.
    pub time: u64,
    /// collectd's interval of the sample.
    pub interval: u64,
    /// collectd's time at which it arrived here.
    pub arrival: u64,
    /// One or two values as they came, eight bytes each.
    pub values: [u64; 2],
}

/// Bytes that [`Fixed`] and the names' lengths take.
const HEADER: usize = 1 + 5 * 8 + 4 * 2;

/// Records packed into one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    len: usize,
}

impl Batch {
    /// The number of records.
    pub fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, fixed: &Fixed, names: &Names<'_>) {
        let names = [
            names.host,
            names.plugin_instance,
            names.type_instance,
            names.sender,
        ]
        .map(|name| &name[..name.len().min(NAME_MAX)]);
        let mut header = [0u8; HEADER];
        header[0] = fixed.kind;
        let words = [
            fixed.time,
            fixed.interval,
            fixed.arrival,
            fixed.values[0],
            fixed.values[1],
        ];
        for (place, word) in header[1..].chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        for (place, name) in header[41..].chunks_exact_mut(2).zip(names) {
            place.copy_from_slice(&(name.len() as u16).to_le_bytes());
        }
        self.bytes.extend_from_slice(&header);
        for name in names {
            self.bytes.extend_from_slice(name);
        }
        self.len += 1;
    }

    /// The records, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (Fixed, Names<'_>)> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (header, mut tail) = rest.split_at_checked(HEADER)?;
            let word = |i: usize| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&header[1 + 8 * i..9 + 8 * i]);
                u64::from_le_bytes(bytes)
            };
            let mut names = [&[][..]; 4];
            for (i, name) in names.iter_mut().enumerate() {
                let len = u16::from_le_bytes([header[41 + 2 * i], header[42 + 2 * i]]);
                (*name, tail) = tail.split_at(usize::from(len));
            }
            rest = tail;
            let fixed = Fixed {
                kind: header[0],
                time: word(0),
                interval: word(1),
                arrival: word(2),
                values: [word(3), word(4)],
            };
            let [host, plugin_instance, type_instance, sender] = names;
            let names = Names {
                host,
                plugin_instance,
                type_instance,
                sender,
            };
            Some((fixed, names))
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.len = 0;
    }
}

/// What the detector's thread is asked for besides taking records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// To save its state; the number that [`Queue::flushed`] wants back. Given once.
    pub flush: Option<u64>,
    /// To finish what there is and end.
    pub stop: bool,
}

#[derive(Debug, Default)]
struct Inner {
    batch: Batch,
    /// Nobody takes records any more.
    closed: bool,
    stop: bool,
    flush_asked: u64,
    flush_taken: u64,
    flush_done: u64,
    /// The detector's thread is to look after what waits elsewhere.
    poked: bool,
    /// The detector's thread sleeps until there is something.
    idle: bool,
    /// The detector's thread has ended.
    ended: bool,
    dropped: u64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Queue {
    inner: Mutex<Inner>,
    wake: Condvar,
    done: Condvar,
    limit: usize,
}

impl Queue {
    /// A queue of at most `limit` samples.
    pub fn new(limit: usize) -> Self {
        Self {
            inner: Mutex::default(),
            wake: Condvar::new(),
            done: Condvar::new(),
            limit,
        }
    }

    /// Appends a sample, or counts it as dropped when the queue is full.
    pub fn push(&self, fixed: &Fixed, names: &Names<'_>) {
        self.push_within(self.limit, fixed, names);
    }

    /// Appends a value of a host's own resources, which may take half of the room, so that there is always some for samples of VMs.
    pub fn push_resource(&self, fixed: &Fixed, names: &Names<'_>) {
        self.push_within(self.limit / 2, fixed, names);
    }

    /// Appends a change of a VM's state, for which there is some room beyond the limit.
    pub fn push_state(&self, fixed: &Fixed, names: &Names<'_>) {
        self.push_within(self.limit + STATES_EXTRA, fixed, names);
    }

    fn push_within(&self, limit: usize, fixed: &Fixed, names: &Names<'_>) {
        let mut inner = self.inner.lock();
        if inner.closed || inner.batch.len >= limit {
            inner.dropped += 1;
            return;
        }
        inner.batch.push(fixed, names);
        // Half full: no more gathering.
        if inner.idle || inner.batch.len == self.limit.div_ceil(2) {
            inner.idle = false;
            drop(inner);
            self.wake.notify_one();
        }
    }

    /// Swaps the waiting records into `batch`, whose own are forgotten. Waits for records, for being asked for something, or
    /// for `timeout`; what comes in a burst is taken together.
    pub fn take(&self, batch: &mut Batch, timeout: Duration) -> Asked {
        batch.clear();
        let deadline = Instant::now() + timeout;
        let mut inner = self.inner.lock();
        inner.idle = true;
        while inner.batch.len == 0 && !inner.urgent() && !std::mem::take(&mut inner.poked) {
            if self.wake.wait_until(&mut inner, deadline).timed_out() {
                break;
            }
        }
        inner.idle = false;
        let gathered = Instant::now() + GATHER;
        while inner.batch.len > 0 && inner.batch.len < self.limit.div_ceil(2) && !inner.urgent() {
            if self.wake.wait_until(&mut inner, gathered).timed_out() {
                break;
            }
        }
        std::mem::swap(&mut inner.batch, batch);
        let flush = (inner.flush_asked > inner.flush_taken).then_some(inner.flush_asked);
        inner.flush_taken = inner.flush_asked;
        Asked {
            flush,
            stop: inner.stop,
        }
    }

    /// Lets the detector's thread come back from waiting for records.
    pub fn poke(&self) {
        self.inner.lock().poked = true;
        self.wake.notify_one();
    }

    /// The number of records waiting, and of those dropped so far.
    pub fn counts(&self) -> (usize, u64) {
        let inner = self.inner.lock();
        (inner.batch.len, inner.dropped)
    }

    /// Asks the detector's thread to save its state and waits for it, at most for `timeout`; whether it did.
    pub fn flush(&self, timeout: Duration) -> bool {
        let mut inner = self.inner.lock();
        if inner.ended {
            return false;
        }
        inner.flush_asked += 1;
        let asked = inner.flush_asked;
        self.wake.notify_one();
        !self
            .done
            .wait_while_for(
                &mut inner,
                |inner| inner.flush_done < asked && !inner.ended,
                timeout,
            )
            .timed_out()
    }

    /// Says that the state was saved as [`Asked::flush`] wanted.
    pub fn flushed(&self, asked: u64) {
        self.inner.lock().flush_done = asked;
        self.done.notify_all();
    }

    /// Asks the detector's thread to finish, lets nothing more in, and waits at most for `timeout`; whether it ended.
    pub fn stop(&self, timeout: Duration) -> bool {
        let mut inner = self.inner.lock();
        inner.stop = true;
        inner.closed = true;
        self.wake.notify_one();
        !self
            .done
            .wait_while_for(&mut inner, |inner| !inner.ended, timeout)
            .timed_out()
    }

    /// Says that the detector's thread has ended, in whatever way: nothing is let in any more, and nobody waits for it.
    pub fn end(&self) {
        let mut inner = self.inner.lock();
        inner.closed = true;
        inner.ended = true;
        drop(inner);
        self.done.notify_all();
    }
}

impl Inner {
    fn urgent(&self) -> bool {
        self.stop || self.flush_asked > self.flush_taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'static> = Names {
        host: b"hv0",
        plugin_instance: b"vm7",
        type_instance: b"",
        sender: b"192.0.2.1",
    };

    fn fixed(n: u64) -> Fixed {
        Fixed {
            kind: 3,
            time: n,
            interval: n + 1,
            arrival: n + 2,
            values: [n + 3, u64::MAX - n],
        }
    }

    #[test]
    fn what_goes_in_comes_out_in_order() {
        let queue = Queue::new(10);
        for n in 0..3 {
            queue.push(&fixed(n), &NAMES);
        }
        let mut batch = Batch::default();
        queue.take(&mut batch, Duration::ZERO);
        let records: Vec<_> = batch.iter().collect();
        assert_eq!(records, [0, 1, 2].map(|n| (fixed(n), NAMES)));
        assert_eq!(batch.len(), 3);
    }

    #[test]
    fn a_full_queue_drops_samples_and_counts_them_but_takes_changes_of_state() {
        let queue = Queue::new(2);
        for n in 0..5 {
            queue.push(&fixed(n), &NAMES);
        }
        queue.push_state(&fixed(9), &NAMES);
        assert_eq!(queue.counts(), (3, 3));
    }

    #[test]
    fn resources_leave_half_of_the_room_to_samples_of_vms() {
        let queue = Queue::new(10);
        for n in 0..20 {
            queue.push_resource(&fixed(n), &NAMES);
        }
        assert_eq!(queue.counts(), (5, 15));
        for n in 0..5 {
            queue.push(&fixed(n), &NAMES);
        }
        assert_eq!(queue.counts(), (10, 15));
    }

    #[test]
    fn a_name_of_any_length_is_cut_and_spoils_no_other() {
        let queue = Queue::new(10);
        let long = vec![b'x'; 70_000];
        queue.push(
            &fixed(0),
            &Names {
                host: &long,
                ..NAMES
            },
        );
        queue.push(&fixed(1), &NAMES);
        let mut batch = Batch::default();
        queue.take(&mut batch, Duration::ZERO);
        let records: Vec<_> = batch.iter().collect();
        assert_eq!(records[0].1.host.len(), NAME_MAX);
        assert_eq!(records[1], (fixed(1), NAMES));
    }

    #[test]
    fn a_flush_waits_for_the_detectors_thread_and_at_most_for_its_timeout() {
        let forsaken = Queue::new(10);
        assert!(!forsaken.flush(Duration::from_millis(5)));
        let queue = Queue::new(10);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let asked = queue.take(&mut Batch::default(), Duration::from_secs(10));
                queue.flushed(asked.flush.expect("a flush was asked for"));
            });
            assert!(queue.flush(Duration::from_secs(10)));
        });
    }

    #[test]
    fn a_flush_is_handed_over_once_and_does_not_keep_the_detectors_thread_awake_until_it_is_done() {
        let queue = Queue::new(10);
        assert!(!queue.flush(Duration::ZERO));
        let mut batch = Batch::default();
        assert_eq!(queue.take(&mut batch, Duration::ZERO).flush, Some(1));
        let begun = Instant::now();
        assert_eq!(
            queue.take(&mut batch, Duration::from_millis(20)).flush,
            None
        );
        assert!(begun.elapsed() >= Duration::from_millis(20));
        assert!(!queue.flush(Duration::ZERO));
        assert_eq!(queue.take(&mut batch, Duration::ZERO).flush, Some(2));
    }

    #[test]
    fn a_stop_wakes_the_detectors_thread_and_closes_the_queue() {
        let queue = Queue::new(10);
        queue.push(&fixed(0), &NAMES);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut batch = Batch::default();
                while !queue.take(&mut batch, Duration::from_secs(10)).stop {}
                queue.end();
            });
            assert!(queue.stop(Duration::from_secs(10)));
        });
        queue.push(&fixed(1), &NAMES);
        assert_eq!(queue.counts().1, 1, "nothing is let in after the end");
        assert!(
            !queue.flush(Duration::from_secs(10)),
            "nobody is left to flush"
        );
    }

    #[test]
    fn a_poke_ends_the_waiting_for_records_once() {
        let queue = Queue::new(10);
        queue.poke();
        let begun = Instant::now();
        queue.take(&mut Batch::default(), Duration::from_secs(30));
        assert!(begun.elapsed() < Duration::from_secs(10));
        let begun = Instant::now();
        queue.take(&mut Batch::default(), Duration::from_millis(20));
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_writer_wakes_a_sleeping_thread() {
        let queue = Queue::new(1000);
        std::thread::scope(|scope| {
            let taker = scope.spawn(|| {
                let mut batch = Batch::default();
                let start = Instant::now();
                queue.take(&mut batch, Duration::from_secs(30));
                (batch.len(), start.elapsed())
            });
            std::thread::sleep(Duration::from_millis(20));
            queue.push(&fixed(0), &NAMES);
            let (len, took) = taker.join().expect("the taker does not panic");
            assert_eq!(len, 1);
            assert!(took < Duration::from_secs(10));
        });
    }
}

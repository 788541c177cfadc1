//! What the filters and the companion input of one pipeline share: events that wait, and figures.
//!
//! A pipeline is known by the host's configuration, which every callback is given. One process can have several, and a hot
//! reload makes a new one.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use bellwether_sys::LadCounters;
use parking_lot::Mutex;

use crate::abi::Level;
use crate::filter::FilterCounters;
use crate::input::Companion;
use crate::risk::RiskFigures;

/// The figures of one filter, for metrics.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What the filter is called: no other one of its pipeline is.
    pub name: String,
    /// What the filter counted.
    pub filter: FilterCounters,
    /// What its detector counted.
    pub detector: LadCounters,
    /// What the risk of its hosts counted.
    pub risk: RiskFigures,
    /// Saves of the learned state that failed.
    pub save_failures: u64,
}

/// The most lines that wait for the log.
const LINES_MAX: usize = 16;

/// What a filter shows to whoever is on a thread of the host's: its figures, and lines for the log. The host's log may be written
/// to from its own threads alone: from any other, a line misses the file that the option `log_file` names.
#[derive(Debug, Default)]
pub struct Status {
    /// The figures.
    pub figures: Mutex<Figures>,
    lines: Mutex<VecDeque<Waiting>>,
}

/// A line for the log.
#[derive(Debug)]
struct Waiting {
    level: Level,
    line: String,
    since: Instant,
}

impl Status {
    /// Has the next thread of the host's that comes along write a line to the log. Whoever has lines written limits how often; of
    /// too many, the oldest are lost.
    pub fn write_later(&self, level: Level, line: String) {
        let mut lines = self.lines.lock();
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        let since = Instant::now();
        lines.push_back(Waiting { level, line, since });
    }

    /// Writes the lines that have waited for at least so long.
    pub fn write(&self, age: Duration, mut write: impl FnMut(Level, &str)) {
        loop {
            let mut lines = self.lines.lock();
            let is_due = |next: &Waiting| next.since.elapsed() >= age;
            if !lines.front().is_some_and(is_due) {
                return;
            }
            let next = lines.pop_front();
            drop(lines);
            if let Some(next) = next {
                write(next.level, &next.line);
            }
        }
    }
}

/// Events on their way to the companion input.
#[derive(Debug, Default)]
struct Queue {
    records: VecDeque<Vec<u8>>,
    /// How many may wait; 0 where nobody takes them.
    limit: usize,
    dropped: u64,
}

impl Queue {
    fn push(&mut self, record: &[u8]) {
        if self.records.len() < self.limit {
            self.records.push_back(record.into());
        } else {
            self.dropped += 1;
        }
    }

    /// What waits, which then waits no more.
    fn take(&mut self) -> VecDeque<Vec<u8>> {
        std::mem::take(&mut self.records)
    }

    /// Puts back what could not be delivered, before what came since.
    fn put_back(&mut self, mut records: VecDeque<Vec<u8>>) {
        records.append(&mut self.records);
        self.records = records;
    }
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Channel {
    queue: Mutex<Queue>,
    /// The companion input, where the pipeline has one.
    pub companion: Mutex<Option<Companion>>,
    filters: Mutex<Vec<Weak<Status>>>,
}

static CHANNELS: Mutex<Vec<(usize, Arc<Channel>)>> = Mutex::new(Vec::new());

impl Channel {
    /// The channel of the pipeline with that configuration, where there is one.
    pub fn find(pipeline: usize) -> Option<Arc<Self>> {
        let channels = CHANNELS.lock();
        let found = channels.iter().find(|(known, _)| *known == pipeline);
        found.map(|(_, channel)| channel.clone())
    }

    /// The channel of the pipeline with that configuration.
    fn of(pipeline: usize) -> Arc<Self> {
        let mut channels = CHANNELS.lock();
        if let Some((_, channel)) = channels.iter().find(|(known, _)| *known == pipeline) {
            return channel.clone();
        }
        let channel = Arc::new(Self::default());
        channels.push((pipeline, channel.clone()));
        channel
    }

    /// Adds a filter, whose status is shown until it leaves. It is called `name`, with a number where a filter of this pipeline is
    /// called so already: each has metrics of its own.
    pub fn join(pipeline: usize, status: &Arc<Status>, name: &str) -> (Arc<Self>, String) {
        let channel = Self::of(pipeline);
        let mut filters = channel.filters.lock();
        let living: Vec<_> = filters.iter().filter_map(Weak::upgrade).collect();
        let is_called = |other: &Arc<Status>, name: &String| other.figures.lock().name == *name;
        let is_free = |name: &String| !living.iter().any(|other| is_called(other, name));
        let numbered = (2u64..).map(|number| format!("{name}#{number}"));
        let name = std::iter::once(name.to_owned())
            .chain(numbered)
            .find(is_free)
            .expect("there are more numbers than filters");
        status.figures.lock().name.clone_from(&name);
        filters.push(Arc::downgrade(status));
        drop(filters);
        (channel, name)
    }

    /// Makes `companion` the input that takes events, with a queue of this length. A former one of that pipeline that is no longer
    /// in it, according to `is_there`, is dropped: Fluent Bit does not report the end of an input.
    ///
    /// # Errors
    /// The pipeline has one already.
    pub fn accompany(
        pipeline: usize,
        companion: Companion,
        limit: usize,
        is_there: impl FnOnce(&Companion) -> bool,
    ) -> Result<(), String> {
        let channel = Self::of(pipeline);
        let mut present = channel.companion.lock();
        if let Some(other) = present.as_ref().filter(|other| is_there(other)) {
            return Err(format!(
                "the input {} of this pipeline takes its events already: remove one of the two; outputs match the tag of the \
                 other",
                other.name()
            ));
        }
        channel.queue.lock().limit = limit;
        *present = Some(companion);
        Ok(())
    }

    /// Takes a filter away, and forgets the pipeline with the last of them: the host says nothing of an input's end.
    pub fn leave(pipeline: usize, status: &Arc<Status>) {
        CHANNELS.lock().retain(|(known, channel)| {
            *known != pipeline || {
                let mut filters = channel.filters.lock();
                filters.retain(|f| f.strong_count() > 0 && !std::ptr::eq(f.as_ptr(), &**status));
                !filters.is_empty()
            }
        });
    }

    /// Whether the pipeline has a companion input.
    pub fn is_accompanied(&self) -> bool {
        self.queue.lock().limit > 0
    }

    /// How many questions the queue takes without being more than half full: the rest of it is for events. `None` if there is no
    /// companion input.
    pub fn room_for_questions(&self) -> Option<usize> {
        let queue = self.queue.lock();
        let room = queue.limit.div_ceil(2).saturating_sub(queue.records.len());
        (queue.limit > 0).then_some(room)
    }

    /// Queues an event for the companion input; whether there is one.
    pub fn send(&self, record: &[u8]) -> bool {
        let mut queue = self.queue.lock();
        let accompanied = queue.limit > 0;
        if accompanied {
            queue.push(record);
        }
        accompanied
    }

    /// Has `deliver` take what waits, in one piece; what it refuses waits on.
    ///
    /// Nothing is locked meanwhile: the host has the records pass through the filters of the pipeline at once.
    pub fn deliver(&self, deliver: impl FnOnce(&[u8]) -> bool) {
        let mut records = self.queue.lock().take();
        if !records.is_empty() && !deliver(&records.make_contiguous().concat()) {
            self.queue.lock().put_back(records);
        }
    }

    /// How many events were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.queue.lock().dropped
    }

    /// The status of every filter.
    pub fn statuses(&self) -> Vec<Arc<Status>> {
        self.filters
            .lock()
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_companion_nothing_is_queued() {
        let channel = Channel::default();
        assert!(!channel.send(b"event"));
        channel.deliver(|_| panic!("nothing waits"));
        assert_eq!(channel.dropped(), 0);
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let channel = Channel::default();
        channel.queue.lock().limit = 2;
        for record in [b"a", b"b", b"c"] {
            assert!(channel.send(record));
        }
        assert_eq!(channel.dropped(), 1);
        channel.deliver(|records| records == b"ab");
        channel.deliver(|_| panic!("nothing waits"));
    }

    #[test]
    fn half_of_the_queue_is_for_events_alone() {
        let channel = Channel::default();
        assert_eq!(channel.room_for_questions(), None);
        channel.queue.lock().limit = 5;
        let rooms = [3, 2, 1, 0, 0].map(|room| {
            assert_eq!(channel.room_for_questions(), Some(room));
            channel.send(b"a");
        });
        assert_eq!((rooms.len(), channel.dropped()), (5, 0));
    }

    #[test]
    fn what_the_pipeline_refuses_waits_before_what_comes_meanwhile() {
        let channel = Channel::default();
        channel.queue.lock().limit = 9;
        channel.send(b"a");
        channel.send(b"b");
        channel.deliver(|_| {
            channel.send(b"c");
            false
        });
        channel.deliver(|records| records == b"abc");
        channel.deliver(|_| panic!("nothing waits"));
    }

    #[test]
    fn filters_of_one_pipeline_share_a_channel_until_the_last_has_left() {
        let joined = [7, 7, 8].map(|pipeline| {
            let status = Arc::new(Status::default());
            (Channel::join(pipeline, &status, "a").0, status)
        });
        assert!(Arc::ptr_eq(&joined[0].0, &joined[1].0));
        assert!(!Arc::ptr_eq(&joined[0].0, &joined[2].0));
        let [(channel, first), (_, second), (_, third)] = joined;
        Channel::leave(7, &first);
        assert_eq!(channel.statuses().len(), 1);
        assert!(Channel::find(7).is_some());
        Channel::leave(7, &second);
        assert!(Channel::find(7).is_none() && Channel::find(8).is_some());
        Channel::leave(8, &third);
        assert!(Channel::find(8).is_none());
    }

    #[test]
    fn lines_wait_for_a_thread_of_the_hosts_and_of_too_many_the_oldest_are_lost() {
        let status = Status::default();
        for i in 0..LINES_MAX + 2 {
            status.write_later(Level::Warning, i.to_string());
        }
        status.write(Duration::from_secs(600), |_, line| panic!("{line} is new"));
        let mut lines = Vec::new();
        status.write(Duration::ZERO, |_, line| lines.push(line.to_owned()));
        assert_eq!((lines.len(), lines[0].as_str()), (LINES_MAX, "2"));
        status.write(Duration::ZERO, |_, line| panic!("{line} again"));
    }

    #[test]
    fn no_two_filters_of_a_pipeline_are_called_the_same() {
        let mut statuses = Vec::new();
        let mut join = |name| {
            let its = Arc::new(Status::default());
            let (_, name) = Channel::join(9, &its, name);
            assert_eq!(its.figures.lock().name, name);
            statuses.push(its);
            name
        };
        let names = ["a", "b", "a", "a#2", "a"].map(&mut join);
        assert_eq!(names, ["a", "b", "a#2", "a#2#2", "a#3"]);
        statuses.remove(0);
        let again = Arc::new(Status::default());
        assert_eq!(Channel::join(9, &again, "a").1, "a");
        drop(statuses);
        Channel::leave(9, &again);
    }
}

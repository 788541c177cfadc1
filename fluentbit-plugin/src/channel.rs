//! What the filters and the companion input of one pipeline share: events that wait, and figures.
//!
//! A pipeline is known by the host's configuration, which every callback is given. One process can have several, and a hot
//! reload makes a new one.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bellwether_sys::LadCounters;
use parking_lot::Mutex;

use crate::filter::Tallies;
use crate::input::Companion;

/// The figures of one filter, for metrics.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// What the filter is called: no other one of its pipeline is.
    pub name: String,
    /// What the filter counted.
    pub tallies: Tallies,
    /// What its detector counted.
    pub counters: LadCounters,
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
    filters: Mutex<Vec<Weak<Mutex<Figures>>>>,
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

    /// Adds a filter, whose figures are to be told of as long as it keeps them. It is called `name`, with a number where a filter
    /// of this pipeline is called so already: each has metrics of its own.
    pub fn join(pipeline: usize, figures: &Arc<Mutex<Figures>>, name: &str) -> (Arc<Self>, String) {
        let channel = Self::of(pipeline);
        let mut filters = channel.filters.lock();
        let living: Vec<_> = filters.iter().filter_map(Weak::upgrade).collect();
        let is_free = |name: &String| !living.iter().any(|other| other.lock().name == *name);
        let numbered = (2u64..).map(|number| format!("{name}#{number}"));
        let name = std::iter::once(name.to_owned())
            .chain(numbered)
            .find(is_free)
            .expect("there are more numbers than filters");
        figures.lock().name.clone_from(&name);
        filters.push(Arc::downgrade(figures));
        drop(filters);
        (channel, name)
    }

    /// Makes `companion` the one to take events, with room for so many. A former one of that pipeline, which `is_there` says is
    /// not in it any more, is gone: the host says nothing of an input's end.
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

    /// Forgets the pipeline once the last of its filters is gone: the host says nothing of an input's end.
    pub fn leave(pipeline: usize) {
        CHANNELS.lock().retain(|(known, channel)| {
            *known != pipeline || channel.filters.lock().iter().any(|f| f.strong_count() > 0)
        });
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

    /// The figures of every filter that lives.
    pub fn figures(&self) -> Vec<Figures> {
        let mut filters = self.filters.lock();
        filters.retain(|figures| figures.strong_count() > 0);
        let living = filters.iter().filter_map(Weak::upgrade);
        living.map(|figures| figures.lock().clone()).collect()
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
        let figures = [7, 7, 8].map(|pipeline| {
            let figures = Arc::new(Mutex::new(Figures::default()));
            (Channel::join(pipeline, &figures, "a").0, figures)
        });
        assert!(Arc::ptr_eq(&figures[0].0, &figures[1].0));
        assert!(!Arc::ptr_eq(&figures[0].0, &figures[2].0));
        let [(channel, first), (_, second), _] = figures;
        drop(first);
        Channel::leave(7);
        assert_eq!(channel.figures().len(), 1);
        assert!(Channel::find(7).is_some());
        drop(second);
        Channel::leave(7);
        assert!(Channel::find(7).is_none() && Channel::find(8).is_some());
        Channel::leave(8);
    }

    #[test]
    fn no_two_filters_of_a_pipeline_are_called_the_same() {
        let mut figures = Vec::new();
        let mut join = |name| {
            let its = Arc::new(Mutex::new(Figures::default()));
            let (_, name) = Channel::join(9, &its, name);
            assert_eq!(its.lock().name, name);
            figures.push(its);
            name
        };
        let names = ["a", "b", "a", "a#2", "a"].map(&mut join);
        assert_eq!(names, ["a", "b", "a#2", "a#2#2", "a#3"]);
        figures.remove(0);
        let again = Arc::new(Mutex::new(Figures::default()));
        assert_eq!(Channel::join(9, &again, "a").1, "a");
        drop((figures, again));
        Channel::leave(9);
    }
}

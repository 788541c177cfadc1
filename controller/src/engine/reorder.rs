//! A short wait for events that arrive late, so that decisions follow the order of their times.

use bellwether_core::event::Event;
use bellwether_core::units::Time;

/// An event that waits for earlier ones.
#[derive(Debug, Clone)]
struct Waiting {
    arrived: f64,
    event: Event,
}

/// Events that wait, in the order of their times; those of the same time in the order of their arrival.
#[derive(Debug, Clone, Default)]
pub(super) struct Reorder {
    waiting: Vec<Waiting>,
    wait_sec: f64,
    max: usize,
}

impl Reorder {
    pub(super) fn new(wait_sec: f64, max: usize) -> Self {
        Self {
            waiting: Vec::new(),
            wait_sec,
            max,
        }
    }

    /// Number of events that wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Adds an event; gives the earliest one if there are too many.
    pub(super) fn add(&mut self, arrived: Time, event: Event) -> Option<Event> {
        let time = event.time.secs();
        let at = self
            .waiting
            .partition_point(|w| w.event.time.secs() <= time);
        let arrived = arrived.secs();
        self.waiting.insert(at, Waiting { arrived, event });
        (self.waiting.len() > self.max).then(|| self.waiting.remove(0).event)
    }

    /// The events that have waited long enough at `now`, and all that are earlier than one of them.
    pub(super) fn due(&mut self, now: Time) -> Vec<Event> {
        let limit = now.secs() - self.wait_sec;
        let last = self.waiting.iter().rposition(|w| w.arrived <= limit);
        let count = last.map_or(0, |last| last + 1);
        self.waiting.drain(..count).map(|w| w.event).collect()
    }

    /// The events that wait, each with its time of arrival.
    pub(super) fn list(&self) -> Vec<(f64, String)> {
        let waiting = self.waiting.iter();
        waiting.map(|w| (w.arrived, w.event.to_json())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(time: f64) -> Event {
        let json = format!(
            r#"{{"event":"hypervisor_silence","time":{time},"state":"raised","severity":"warning","hypervisor":"hv1","score":0,"message":"m","since":990.0,"incident":"a92e671d4e2f0d29a3328573f3d70aaa"}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn times(events: Vec<Event>) -> Vec<f64> {
        events.iter().map(|event| event.time.secs()).collect()
    }

    #[test]
    fn events_that_arrive_in_the_wrong_order_leave_in_the_order_of_their_times() {
        let mut reorder = Reorder::new(2.0, 10);
        for (arrived, time) in [(10.0, 9.0), (10.5, 8.0), (11.0, 12.0)] {
            assert!(reorder.add(Time::from_secs(arrived), event(time)).is_none());
        }
        assert!(reorder.due(Time::from_secs(11.0)).is_empty());
        assert_eq!(times(reorder.due(Time::from_secs(12.0))), [8.0, 9.0]);
        assert_eq!(times(reorder.due(Time::from_secs(13.0))), [12.0]);
    }

    #[test]
    fn at_the_limit_the_earliest_leaves_at_once() {
        let mut reorder = Reorder::new(2.0, 2);
        let now = Time::from_secs(10.0);
        assert!(reorder.add(now, event(3.0)).is_none());
        assert!(reorder.add(now, event(2.0)).is_none());
        let first = reorder.add(now, event(4.0)).unwrap();
        assert_eq!(first.time.secs(), 2.0);
        assert_eq!(reorder.len(), 2);
    }
}

//! The incidents of HAD on one host over time.

use bellwether_core::event::{Cause, Event, EventKind, IncidentId, State};
use bellwether_core::had::{Detector, HadOptions, Observation};
use bellwether_core::options::OptionError;
use bellwether_core::risk::SourceState;
use bellwether_core::units::{Interval, Time};

/// An incident of HAD: when it became known, and when its end.
struct Incident {
    id: IncidentId,
    from: f64,
    to: f64,
    provisional: bool,
}

/// HAD over the CPU percentages of the guests of one host.
pub struct Incidents {
    detector: Detector,
    incidents: Vec<Incident>,
}

impl Incidents {
    /// Before the first sample.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn new(options: &HadOptions) -> Result<Self, OptionError> {
        Ok(Self {
            detector: Detector::new(options.clone())?,
            incidents: Vec::new(),
        })
    }

    /// Takes the samples of all guests at `time`, `interval` seconds after those before.
    pub fn observe(
        &mut self,
        host: &str,
        guests: &[String],
        time: f64,
        interval: f64,
        values: impl Iterator<Item = f64>,
    ) {
        for (vm, value) in guests.iter().zip(values) {
            self.detector.observe(&Observation {
                hypervisor: host,
                vm,
                metric: "cpu",
                time: Time::from_secs(time),
                interval: Some(Interval::from_secs(interval)),
                value,
            });
        }
        while let Some(event) = self.detector.next_event() {
            self.take(&event, time);
        }
    }

    fn take(&mut self, event: &Event, now: f64) {
        if event.kind() != EventKind::HypervisorAnomaly {
            return;
        }
        match event.state {
            State::Cleared => {
                let open = self.incidents.iter_mut().rev();
                if let Some(open) = open.into_iter().find(|one| one.id == event.incident) {
                    open.to = now;
                }
            }
            // What the guests have done before is their work.
            _ if event
                .common_change()
                .is_some_and(|change| change.cause == Cause::Internal) => {}
            _ => self.incidents.push(Incident {
                id: event.incident,
                from: now,
                to: f64::INFINITY,
                provisional: event.is_provisional(),
            }),
        }
    }

    /// The state of the source at `time`.
    pub fn state(&self, time: f64) -> SourceState {
        let open = self.incidents.iter();
        let open = open.filter(|one| one.from <= time && time < one.to);
        // One that counts goes before one that is provisional.
        let oldest = open.min_by(|a, b| {
            let order = a.provisional.cmp(&b.provisional);
            order.then(a.from.total_cmp(&b.from))
        });
        match oldest {
            None => SourceState::had(None, false),
            Some(one) => SourceState::had(Some(time - one.from), one.provisional),
        }
    }
}

//! The learned state of the detector, saved and restored.
//!
//! Version 1: hosts, counters, what outcomes have taught, the time of the last sweep, and pending events as JSON.

use std::io::{self, Write};

use super::detector::Detector;
use super::host::Host;
use super::model::Learned;
use super::observation::Counters;
use crate::event::Event;
use crate::snapshot::{self, ForEach, LazySeq, Reader, Saved, Tag, Unusable, write_value};

impl Saved for Detector {
    const TAG: Tag = *b"RISK";
    const VERSION: u32 = 1;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.hosts)?;
        // Memory is that of this process.
        let counters = Counters {
            bytes: 0,
            ..self.counters()
        };
        write_value(out, &counters)?;
        write_value(out, self.model.learned())?;
        write_value(out, &self.swept)?;
        write_value(out, &LazySeq(|| self.pending.iter().map(Event::to_json)))
    }

    fn read_state(&self, _: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        let tables = self.model.shared_tables().clone();
        let blank = Self::with_tables(self.options.clone(), tables);
        let mut detector = blank.map_err(|error| Unusable::Impossible(error.to_string()))?;
        let mut is_valid = true;
        let mut is_within = true;
        let restore = ForEach::new(|host: Host| {
            if is_valid && is_within {
                is_valid = detector.add_restored(host);
                is_within = detector.fits();
            }
        });
        input.next_into("the hosts", restore)?;
        if !is_within {
            return Err(Unusable::OverLimit("max_hypervisors and max_memory_mib"));
        }
        let counters: Counters = input.next("the counters")?;
        let learned: Learned = input.next("what outcomes have taught")?;
        let swept: f64 = input.next("the time")?;
        let events: Vec<String> = input.next("the events")?;
        is_valid &= !swept.is_nan() && detector.model.restore(learned);
        if !is_valid {
            return Err(Unusable::Impossible(
                "a host in it has values that no host can have".into(),
            ));
        }
        detector.swept = swept;
        detector.counters = Counters {
            open: detector.counters.open,
            ..counters
        };
        detector.pending = crate::event::Queue::new(self.pending.limit(), counters.events_lost);
        for json in &events {
            detector.pending.push([snapshot::event_from_json(json)?]);
        }
        Ok(detector)
    }
}

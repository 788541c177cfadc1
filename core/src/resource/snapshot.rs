//! The learned state of the detector, saved and restored.
//!
//! Version 1: the names of the signals, counters, pending events as JSON, hosts.

use std::io::{self, Write};

use super::detector::Detector;
use super::host::Host;
use super::observation::Counters;
use crate::event::{Event, Queue};
use crate::snapshot::{self, LazySeq, Reader, Saved, Tag, Unusable, write_value};

impl Detector {
    fn names(&self) -> Vec<String> {
        let names = self.channels.iter().map(|channel| channel.name.clone());
        names.collect()
    }
}

impl Saved for Detector {
    const TAG: Tag = *b"res ";
    const VERSION: u32 = 1;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.names())?;
        let counters = Counters {
            events_lost: self.pending.lost(),
            ..self.counters
        };
        write_value(out, &counters)?;
        write_value(out, &LazySeq(|| self.pending.iter().map(Event::to_json)))?;
        write_value(out, &self.hosts)
    }

    fn read_state(&self, _version: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        let names: Vec<String> = input.next("the signals")?;
        if names != self.names() {
            return Err(Unusable::OtherOption {
                option: "signals".to_owned(),
                then: names.join(","),
                now: self.names().join(","),
            });
        }
        let counters: Counters = input.next("the counters")?;
        let events: Vec<String> = input.next("the events")?;
        let hosts: Vec<Host> = input.next("the hosts")?;
        let blank = Self::with_model(self.options.clone(), self.model.clone());
        let mut detector = Self {
            pending: Queue::new(self.pending.limit(), counters.events_lost),
            counters,
            hosts,
            ..blank
        };
        for json in &events {
            detector.pending.push([snapshot::event_from_json(json)?]);
        }
        if detector.hosts.len() > detector.options.max_hypervisors {
            return Err(Unusable::OverLimit("max_hypervisors"));
        }
        let channels = &detector.channels;
        let mut hosts = detector.hosts.iter();
        if !hosts.all(|host| host.is_valid() && host.engine.is_valid(channels)) {
            return Err(Unusable::Impossible(
                "a host in it has values that no host can have".into(),
            ));
        }
        detector.reindex();
        if detector.index.len() < detector.hosts.len() {
            return Err(Unusable::Impossible("it has a host twice".into()));
        }
        detector.measure();
        if detector.state_bytes() > detector.state_limit() {
            return Err(Unusable::OverLimit("max_memory_mib"));
        }
        Ok(detector)
    }
}

//! The risk under any options, tables, observations and outcomes: what it says is in its ranges, what it keeps is bounded, and a
//! snapshot goes on as if nothing had happened.
#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use bellwether_core::risk::{
    Detector, Fate, Observation, PROBABILITY_MAX, RiskOptions, SourceState, Tables,
};
use bellwether_core::units::Time;
use bellwether_fuzz::fleet::Name;
use bellwether_fuzz::number::Number;
use bellwether_fuzz::option::Setting;
use bellwether_fuzz::sound::sound_event;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    options: Vec<Setting<'a>>,
    /// A file with tables.
    tables: Option<&'a str>,
    start: Number,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Observe {
        host: Name<'a>,
        time: Option<Number>,
        state: State,
    },
    Outcome(Name<'a>, bool),
    Advance(u16),
    AdvanceTo(Number),
    Events,
    SaveAndLoad,
}

#[derive(Arbitrary, Debug)]
enum State {
    Log(u8),
    Had(Option<Number>, bool),
    Resource(Number),
    Novelty(u8),
}

impl State {
    fn get(self) -> SourceState {
        match self {
            Self::Log(minutes) => SourceState::log(minutes.into()),
            Self::Had(age, provisional) => SourceState::had(age.map(Number::get), provisional),
            Self::Resource(p) => SourceState::resource(p.get()),
            Self::Novelty(templates) => SourceState::novelty(templates.into()),
        }
    }
}

fuzz_target!(|input: Input| {
    let mut options = RiskOptions::default();
    for (name, value) in input.options.iter().map(|s| s.of(RiskOptions::SPECS)) {
        // A value that is refused leaves the options as they are.
        let _ = options.set(name, &value);
    }
    let tables = input.tables.and_then(|text| Tables::from_json(text).ok());
    let tables = tables.map_or_else(|| Arc::clone(Tables::builtin()), Arc::new);
    let Ok(mut detector) = Detector::with_tables(options, tables) else {
        return;
    };
    let mut clock = input.start.get();
    for step in input.steps {
        match step {
            Step::Observe { host, time, state } => {
                let found = detector.observe(&Observation {
                    hypervisor: host.get(),
                    time: Time::from_secs(time.map_or(clock, Number::get)),
                    state: state.get(),
                });
                let [ten, thirty] = [found.risk_10min, found.risk_30min].map(|risk| risk.get());
                assert!(ten <= thirty && thirty <= PROBABILITY_MAX, "{found:?}");
            }
            Step::Outcome(host, failed) => {
                let fate = if failed { Fate::Failed } else { Fate::Unknown };
                detector.outcome(host.get(), Time::from_secs(clock), fate);
            }
            Step::Advance(seconds) => {
                clock += f64::from(seconds);
                detector.advance(Time::from_secs(clock));
            }
            Step::AdvanceTo(time) => detector.advance(Time::from_secs(time.get())),
            Step::Events => events(&mut detector),
            Step::SaveAndLoad => {
                let saved = detector.snapshot().to_vec();
                detector.restore(&saved).expect("it is whole");
                assert!(
                    detector.snapshot().to_vec() == saved,
                    "what was loaded is not what was saved"
                );
            }
        }
        let n = detector.counters();
        assert!(
            n.bytes <= (detector.options().max_memory_mib as u64) << 20,
            "{n:?}"
        );
    }
    events(&mut detector);
});

fn events(detector: &mut Detector) {
    while let Some(event) = detector.next_event() {
        sound_event(&event);
    }
}

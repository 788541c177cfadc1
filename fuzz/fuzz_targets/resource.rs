//! The detector of resources under any options and rows: what it says is in its ranges, what it keeps is bounded, nothing gets lost
//! in the counting, and a snapshot goes on as if nothing had happened.
#![no_main]

use arbitrary::Arbitrary;
use bellwether_core::resource::{Detector, Observation, ResourceOptions, Signal};
use bellwether_core::units::{Interval, Time};
use bellwether_fuzz::fleet::Name;
use bellwether_fuzz::number::Number;
use bellwether_fuzz::option::Setting;
use bellwether_fuzz::sound::sound_event;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    options: Vec<Setting<'a>>,
    start: Number,
    interval: u8,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Rows of a host that differ a little from each other.
    Rows {
        host: Name<'a>,
        count: u8,
        level: u8,
        spread: u8,
    },
    One {
        host: Name<'a>,
        time: Option<Number>,
        interval: Number,
        values: Vec<Number>,
    },
    Advance(u16),
    AdvanceTo(Number),
    Events,
    SaveAndLoad,
}

fuzz_target!(|input: Input| {
    let mut options = ResourceOptions::default();
    for (name, value) in input.options.iter().map(|s| s.of(ResourceOptions::SPECS)) {
        // A value that is refused leaves the options as they are.
        let _ = options.set(name, &value);
    }
    let Ok(mut detector) = Detector::new(options) else {
        return;
    };
    let (mut clock, mut observed) = (input.start.get(), 0);
    let step_sec = f64::from(input.interval) + 1.0;
    for step in input.steps {
        match step {
            Step::Rows {
                host,
                count,
                level,
                spread,
            } => {
                for row in 0..count {
                    clock += step_sec;
                    let noise = f64::from(row.wrapping_mul(97) % spread.max(1)) / 255.0;
                    let values = [f64::from(level) / 255.0 + noise; Signal::COUNT];
                    observe(&mut detector, host.get(), clock, step_sec, &values);
                    observed += 1;
                }
            }
            Step::One {
                host,
                time,
                interval,
                values,
            } => {
                let values: Vec<f64> = values.into_iter().map(Number::get).collect();
                let time = time.map_or(clock, Number::get);
                observe(&mut detector, host.get(), time, interval.get(), &values);
                observed += 1;
            }
            Step::Advance(seconds) => {
                clock += f64::from(seconds);
                detector.advance(Time::from_secs(clock));
            }
            Step::AdvanceTo(time) => detector.advance(Time::from_secs(time.get())),
            Step::Events => events(&mut detector),
            Step::SaveAndLoad => {
                let saved = detector.snapshot().to_vec();
                assert!(detector.restore(&saved).is_ok(), "it is whole");
                assert!(
                    detector.snapshot().to_vec() == saved,
                    "what was loaded is not what was saved"
                );
            }
        }
        let (options, n) = (detector.options(), detector.counters());
        assert!(n.hypervisors <= options.max_hypervisors as u64);
        assert!(n.bytes <= (options.max_memory_mib as u64) << 20, "{n:?}");
    }
    let n = detector.counters();
    let counted = n.taken + n.duplicate + n.late + n.set_aside + n.refused + n.full;
    assert_eq!(counted, observed);
    events(&mut detector);
});

fn observe(detector: &mut Detector, host: &str, time: f64, interval: f64, values: &[f64]) {
    let found = detector.observe(&Observation {
        hypervisor: host,
        time: Time::from_secs(time),
        interval: (interval != 0.0).then(|| Interval::from_secs(interval)),
        values,
    });
    if let Some(p) = found.p_values {
        for share in [p.combined, p.change, p.pattern] {
            assert!(share > 0.0 && share <= 1.0, "{found:?}");
        }
    }
    assert!((0.0..=1.0).contains(&found.score.get()), "{found:?}");
}

fn events(detector: &mut Detector) {
    while let Some(event) = detector.next_event() {
        sound_event(&event);
    }
}

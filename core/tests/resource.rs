//! The detector of the resources of hosts, from outside.

use std::path::{Path, PathBuf};

use bellwether_core::event::{Event, EventKind, Severity, State};
use bellwether_core::model::{
    Autoencoder, Matrix, ResourceDescription, ResourceModel, Scaler, TrainingData,
};
use bellwether_core::options::OptionError;
use bellwether_core::resource::{
    DECIDING_MAX, Detector, Observation, Observed, Outcome, ResourceOptions, Signal,
};
use bellwether_core::units::{Interval, Time};
use proptest::prelude::*;

const MINUTE: f64 = 60.0;
const BEGIN: f64 = 1_700_000_000.0;

/// Pseudo-random numbers from 0 to 1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A host with the load of a day: the row of a minute, without PSI and VMs.
fn usual(minute: u32, noise: &mut Noise) -> [f64; Signal::COUNT] {
    let day = f64::from(minute % 1440) / 1440.0 * std::f64::consts::TAU;
    let mut values = [f64::NAN; Signal::COUNT];
    let mut set = |signal: Signal, value: f64| values[signal as usize] = value;
    let busy = 0.3 + 0.15 * day.sin() + 0.05 * noise.next();
    set(Signal::CpuBusy, busy);
    set(Signal::CpuSystem, 0.2 * busy + 0.01 * noise.next());
    set(Signal::CpuIowait, 0.01 * noise.next());
    set(Signal::Load, 0.8 * busy + 0.1 * noise.next());
    set(
        Signal::MemoryUsed,
        0.6 + 0.02 * day.cos() + 0.004 * noise.next(),
    );
    set(Signal::SwapUsed, 0.0);
    set(Signal::SwapIn, 0.0);
    set(Signal::MajorFaults, 3.0 * noise.next());
    set(Signal::DiskBusy, 0.1 + 0.1 * noise.next());
    set(Signal::DiskLatency, 2.0 + noise.next());
    values
}

fn row(host: &str, minute: u32, values: &[f64], detector: &mut Detector) -> Observed {
    detector.observe(&Observation {
        hypervisor: host,
        time: Time::from_secs(BEGIN + f64::from(minute) * MINUTE),
        interval: Some(Interval::from_secs(MINUTE)),
        values,
    })
}

fn detector() -> Detector {
    Detector::new(ResourceOptions::default()).unwrap()
}

fn events(detector: &mut Detector) -> Vec<Event> {
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// A detector that knows two and a half days of "hv1", and the noise that goes on.
fn knowing() -> (Detector, Noise) {
    let (mut detector, mut noise) = (detector(), Noise(7));
    for minute in 0..3600 {
        row("hv1", minute, &usual(minute, &mut noise), &mut detector);
    }
    (detector, noise)
}

/// The same host with its memory filling up and swapping.
fn short_of_memory(minute: u32, noise: &mut Noise) -> [f64; Signal::COUNT] {
    let mut values = usual(minute, noise);
    values[Signal::MemoryUsed as usize] = 0.98;
    values[Signal::SwapUsed as usize] = 0.4;
    values[Signal::SwapIn as usize] = 4000.0;
    values[Signal::MajorFaults as usize] = 900.0;
    values
}

#[test]
fn a_host_with_the_load_of_a_day_has_hardly_any_anomaly() {
    let (mut detector, mut noise) = knowing();
    events(&mut detector);
    for minute in 3600..8 * 1440 {
        row("hv1", minute, &usual(minute, &mut noise), &mut detector);
    }
    let raised = events(&mut detector);
    let raised = raised.iter().filter(|event| event.state == State::Raised);
    // The option accepts one in five days.
    assert!(raised.count() <= 2);
}

#[test]
fn a_shortage_of_memory_is_a_warning_that_names_its_signals_and_is_cleared_when_it_is_over() {
    let (mut detector, mut noise) = knowing();
    events(&mut detector);
    let mut last = None;
    for minute in 3600..3630 {
        let values = short_of_memory(minute, &mut noise);
        last = Some(row("hv1", minute, &values, &mut detector));
    }
    let observed = last.unwrap();
    assert!(
        observed.raised && observed.score.get() >= 0.5,
        "{observed:?}"
    );
    assert!(observed.deciding.len() <= DECIDING_MAX);
    for minute in 3630..3700 {
        row("hv1", minute, &usual(minute, &mut noise), &mut detector);
    }
    let events = events(&mut detector);
    let [raised, cleared] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(raised.kind(), EventKind::ResourceAnomaly);
    assert_eq!(
        (raised.state, raised.severity),
        (State::Raised, Severity::Warning)
    );
    assert_eq!(raised.hypervisor(), "hv1");
    let found = raised.resource_anomaly().unwrap();
    assert!(found.signals.contains("swap_in +"), "{found:?}");
    assert!(
        found.p_value.unwrap() < 0.001 && !found.provisional,
        "{found:?}"
    );
    assert!(raised.message.contains("usually"), "{}", raised.message);
    assert!(raised.time.seconds_since(Time::from_secs(BEGIN)) < 3605.0 * MINUTE);
    assert_eq!(
        (cleared.state, cleared.severity),
        (State::Cleared, Severity::Okay)
    );
    assert_eq!(
        (cleared.incident, cleared.since),
        (raised.incident, raised.time)
    );
    assert_eq!(cleared.metric(), raised.metric());
    assert_eq!(cleared.reason(), Some("recovered"));
}

#[test]
fn an_event_is_read_from_its_json_as_it_was_written() {
    let (mut detector, mut noise) = knowing();
    for minute in 3600..3700 {
        let values = match minute < 3630 {
            true => short_of_memory(minute, &mut noise),
            false => usual(minute, &mut noise),
        };
        row("hv1", minute, &values, &mut detector);
    }
    let events = events(&mut detector);
    assert!(events.len() >= 2);
    for event in events {
        let read: Event = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(read, event);
    }
}

#[test]
fn an_anomaly_of_the_first_day_is_provisional() {
    let (mut detector, mut noise) = (detector(), Noise(3));
    for minute in 0..1000 {
        row("hv1", minute, &usual(minute, &mut noise), &mut detector);
    }
    for minute in 1000..1020 {
        row(
            "hv1",
            minute,
            &short_of_memory(minute, &mut noise),
            &mut detector,
        );
    }
    let last = events(&mut detector).pop().unwrap();
    assert_eq!(last.state, State::Raised);
    assert!(last.is_provisional());
    assert!(detector.status("hv1").unwrap().provisional);
}

#[test]
fn a_lasting_change_becomes_usual_within_a_day() {
    let (mut detector, mut noise) = knowing();
    let mut row_of = |minute: u32, detector: &mut Detector| {
        let mut values = usual(minute, &mut noise);
        values[Signal::MemoryUsed as usize] += 0.3;
        row("hv1", minute, &values, detector)
    };
    assert!((3600..3700).any(|minute| row_of(minute, &mut detector).raised));
    for minute in 3700..3600 + 1440 {
        row_of(minute, &mut detector);
    }
    let raised = (5040..5640).filter(|minute| row_of(*minute, &mut detector).raised);
    assert!(raised.count() < 60);
}

#[test]
fn unknown_signals_are_left_out_and_a_row_without_any_has_no_p_value() {
    let (mut detector, mut noise) = knowing();
    events(&mut detector);
    let none = [f64::NAN; Signal::COUNT];
    let observed = row("hv1", 3600, &none, &mut detector);
    assert_eq!(
        (observed.outcome, observed.p_values),
        (Outcome::Taken, None)
    );
    assert_eq!(row("hv1", 3601, &[], &mut detector).p_values, None);
    for minute in 3602..4000 {
        let mut values = usual(minute, &mut noise);
        if minute < 3800 {
            values[Signal::MemoryUsed as usize] = f64::NAN;
            values[Signal::DiskBusy as usize] = f64::INFINITY;
        } else {
            // Pressure comes only now.
            values[Signal::PsiIoSome as usize] = 0.3;
        }
        let observed = row("hv1", minute, &values, &mut detector);
        assert!(observed.p_values.is_some());
        assert!(!observed.raised, "{minute}: {observed:?}");
    }
    assert!(events(&mut detector).is_empty());
}

#[test]
fn rows_that_come_twice_or_late_do_not_count_until_the_clock_is_seen_to_be_set_back() {
    let (mut detector, mut noise) = (detector(), Noise(1));
    let mut next = |minute: u32| row("hv1", minute, &usual(minute, &mut noise), &mut detector);
    assert_eq!(next(1000).outcome, Outcome::Taken);
    assert_eq!(next(1000).outcome, Outcome::Duplicate);
    assert_eq!(next(900).outcome, Outcome::Late);
    assert_eq!(next(1001).outcome, Outcome::Taken);
    let outcomes: Vec<Outcome> = (500..506).map(|minute| next(minute).outcome).collect();
    assert_eq!(outcomes[..4], [Outcome::Late; 4]);
    assert_eq!(outcomes[4..], [Outcome::Taken; 2]);
    let counters = detector.counters();
    assert_eq!(
        (counters.taken, counters.late, counters.duplicate),
        (4, 5, 1)
    );
}

#[test]
fn one_row_with_a_time_far_in_the_future_does_not_stop_a_host() {
    let (mut detector, mut noise) = knowing();
    row("hv1", 50_000_000, &usual(0, &mut noise), &mut detector);
    let taken = (3600..3700).filter(|minute| {
        let values = usual(*minute, &mut noise);
        row("hv1", *minute, &values, &mut detector).outcome == Outcome::Taken
    });
    assert!(taken.count() >= 95);
}

#[test]
fn a_host_with_another_interval_is_learned_again() {
    let (mut detector, mut noise) = knowing();
    let observe = |second: u32, detector: &mut Detector, values: &[f64]| {
        detector.observe(&Observation {
            hypervisor: "hv1",
            time: Time::from_secs(BEGIN + 3600.0 * MINUTE + f64::from(second)),
            interval: Some(Interval::from_secs(10.0)),
            values,
        })
    };
    for at in 0..4 {
        let values = usual(3600, &mut noise);
        let observed = observe(10 * at, &mut detector, &values);
        assert_eq!(observed.outcome, Outcome::SetAside);
    }
    let values = usual(3600, &mut noise);
    let observed = observe(40, &mut detector, &values);
    assert_eq!(
        (observed.outcome, observed.p_values),
        (Outcome::Taken, None)
    );
    assert_eq!(detector.status("hv1").unwrap().interval.secs(), 10.0);
}

#[test]
fn a_gap_is_no_anomaly() {
    let (mut detector, mut noise) = knowing();
    events(&mut detector);
    // Six hours later the day is elsewhere.
    for minute in 3960..4100 {
        let observed = row("hv1", minute, &usual(minute, &mut noise), &mut detector);
        assert!(!observed.raised, "{minute}");
    }
}

#[test]
fn what_is_no_row_is_refused_and_counted() {
    let mut detector = detector();
    let long = "x".repeat(513);
    let many = [0.0; Signal::COUNT + 1];
    let good = Observation {
        hypervisor: "hv1",
        time: Time::from_secs(BEGIN),
        interval: None,
        values: &[0.5],
    };
    let bad = [
        Observation {
            hypervisor: "",
            ..good
        },
        Observation {
            hypervisor: &long,
            ..good
        },
        Observation {
            time: Time::from_secs(f64::NAN),
            ..good
        },
        Observation {
            interval: Some(Interval::from_secs(0.0)),
            ..good
        },
        Observation {
            values: &many,
            ..good
        },
    ];
    for observation in &bad {
        assert_eq!(detector.observe(observation).outcome, Outcome::Refused);
    }
    assert_eq!(detector.counters().refused, 5);
    assert_eq!(detector.observe(&good).outcome, Outcome::Taken);
}

#[test]
fn a_restored_detector_goes_on_as_if_it_had_never_stopped() {
    let (mut detector, mut noise) = knowing();
    for minute in 3600..3610 {
        row(
            "hv1",
            minute,
            &short_of_memory(minute, &mut noise),
            &mut detector,
        );
    }
    let mut restored = self::detector();
    restored.restore(&detector.snapshot().to_vec()).unwrap();
    for minute in 3610..3900 {
        let values = match minute < 3640 {
            true => short_of_memory(minute, &mut noise),
            false => usual(minute, &mut noise),
        };
        let expected = row("hv1", minute, &values, &mut detector);
        assert_eq!(
            row("hv1", minute, &values, &mut restored),
            expected,
            "{minute}"
        );
    }
    assert_eq!(events(&mut restored), events(&mut detector));
    assert_eq!(restored.snapshot().to_vec(), detector.snapshot().to_vec());
}

#[test]
fn a_damaged_snapshot_is_refused_and_changes_nothing() {
    let (detector, _) = knowing();
    let bytes = detector.snapshot().to_vec();
    let mut other = self::detector();
    for at in (0..bytes.len()).step_by(997) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        assert!(other.restore(&damaged).is_err(), "{at}");
        assert!(other.restore(&bytes[..at]).is_err(), "{at}");
    }
    assert_eq!(other.counters().hypervisors, 0);
}

#[test]
fn the_same_rows_give_the_same_events() {
    let run = || {
        let (mut detector, mut noise) = knowing();
        for minute in 3600..3700 {
            row(
                "hv1",
                minute,
                &short_of_memory(minute, &mut noise),
                &mut detector,
            );
        }
        let lines: Vec<String> = events(&mut detector).iter().map(Event::to_json).collect();
        lines
    };
    assert_eq!(run(), run());
}

#[test]
fn a_flood_of_names_neither_exceeds_the_memory_nor_displaces_a_host_that_reports() {
    let mut options = ResourceOptions::default();
    options.set("max_memory_mib", "8").unwrap();
    let mut detector = Detector::new(options).unwrap();
    let mut noise = Noise(5);
    for minute in 0..200 {
        detector.advance(Time::from_secs(BEGIN + f64::from(minute) * MINUTE));
        let values = usual(minute, &mut noise);
        assert_eq!(
            row("hv1", minute, &values, &mut detector).outcome,
            Outcome::Taken
        );
        for made_up in 0..20 {
            let name = format!("made-up-{minute}-{made_up}");
            row(&name, minute, &values, &mut detector);
        }
        assert!(detector.bytes() <= 8 << 20, "{}", detector.bytes());
    }
    let counters = detector.counters();
    assert!(counters.hypervisors_evicted > 0, "{counters:?}");
    assert!(detector.status("hv1").is_some());
    assert!(detector.snapshot().to_vec().len() <= 4 << 20);
}

#[test]
fn a_silent_host_is_forgotten_and_its_anomaly_cleared() {
    let (mut detector, mut noise) = knowing();
    detector.advance(Time::from_secs(BEGIN + 3600.0 * MINUTE));
    for minute in 3600..3610 {
        row(
            "hv1",
            minute,
            &short_of_memory(minute, &mut noise),
            &mut detector,
        );
    }
    assert_eq!(detector.counters().anomalies, 1);
    events(&mut detector);
    detector.advance(Time::from_secs(BEGIN + 3600.0 * MINUTE + 700_000.0));
    assert_eq!(detector.counters().hypervisors, 0);
    let last = events(&mut detector).pop().unwrap();
    assert_eq!(
        (last.state, last.reason()),
        (State::Cleared, Some("forgotten"))
    );
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let mut options = ResourceOptions::default();
    options.set("interval", "3600").unwrap();
    options.set("forget_sec", "60").unwrap();
    let error = Detector::new(options).unwrap_err();
    assert_eq!(error.option(), "forget_sec");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_the_values_and_times_p_values_are_shares(
        rows in prop::collection::vec(
            (prop::collection::vec(prop_oneof![
                Just(f64::NAN), Just(f64::INFINITY), Just(1e308), Just(-1e308), Just(0.0), -2.0..2.0_f64, 0.0..1e9_f64,
            ], 0..=Signal::COUNT), 0.0..130.0_f64),
            1..60,
        ),
    ) {
        let mut detector = detector();
        let mut time = BEGIN;
        for at in 0..600 {
            let (values, step) = &rows[at % rows.len()];
            time += step;
            let observed = detector.observe(&Observation {
                hypervisor: "hv1",
                time: Time::from_secs(time),
                interval: Some(Interval::from_secs(60.0)),
                values,
            });
            if let Some(p) = observed.p_values {
                for p in [p.change, p.pattern, p.combined] {
                    prop_assert!(p > 0.0 && p <= 1.0, "{p}");
                }
            }
            for one in &observed.deciding {
                prop_assert!(one.deviation.is_finite() && one.usual.is_finite());
                prop_assert!(one.channel < Signal::COUNT);
            }
        }
        let bytes = detector.snapshot().to_vec();
        self::detector().restore(&bytes).unwrap();
    }
}

/// A file of a model that returns the middle of the range for every value: in windows of two rows, of signals from 0 to 1.
fn saved_model(folder: &Path, channels: &[&str]) -> PathBuf {
    let inputs = 2 * channels.len();
    let bias = Matrix {
        rows: 1,
        columns: inputs,
        values: vec![0.5; inputs],
    };
    let network = Autoencoder::new(vec![Matrix::zeros(inputs, inputs), bias]).unwrap();
    let description = ResourceDescription {
        window: 2,
        channels: channels.iter().map(|name| (*name).to_owned()).collect(),
        threshold: 0.1,
        data: TrainingData::default(),
    };
    let scaler = Scaler {
        least: vec![0.0; channels.len()],
        range: vec![1.0; channels.len()],
    };
    let path = folder.join("hosts.model");
    let model = ResourceModel::new(description, scaler, network).unwrap();
    model.save(&path).unwrap();
    path
}

fn with_model(path: &Path) -> Result<Detector, OptionError> {
    let mut options = ResourceOptions::default();
    options.set("resource_model", &path.display().to_string())?;
    Detector::new(options)
}

#[test]
fn a_row_carries_how_well_the_model_returns_its_window_and_raises_nothing_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<&str> = Signal::ALL.iter().map(|signal| signal.name()).collect();
    let path = saved_model(folder.path(), &names);
    let mut detector = with_model(&path).unwrap();
    let without = Detector::new(ResourceOptions::default()).unwrap();
    assert!(detector.bytes() > without.bytes() + 1_000, "it is counted");
    let middle = [0.5; Signal::COUNT];
    let mut far = middle;
    far[Signal::SwapUsed as usize] = 3.0;
    far[Signal::CpuBusy as usize] = 1.0;
    let mut found = |minute, values| row("hv1", minute, values, &mut detector).reconstructed;
    assert_eq!(found(0, &middle), None, "one row is no window");
    let usual = found(1, &middle).unwrap();
    assert_eq!((usual.error, usual.anomalous), (0.0, false));
    let unusual = found(2, &far).unwrap();
    let window = 2.0 * Signal::COUNT as f64;
    // Clipped at one range beyond the largest value of the training.
    assert!((unusual.error - (1.5 * 1.5 + 0.25) / window).abs() < 1e-6);
    assert_eq!(unusual.channel, Signal::SwapUsed as usize);
    assert_eq!(found(4, &middle), None, "a row is missing");
    assert!(found(5, &[1.0; Signal::COUNT]).unwrap().anomalous);
    assert_eq!(detector.counters().unreconstructed, 1);
    assert!(
        detector
            .status("hv1")
            .unwrap()
            .reconstructed
            .unwrap()
            .anomalous
    );
    assert_eq!(events(&mut detector), []);
    let mut restarted = with_model(&path).unwrap();
    restarted.restore(&detector.snapshot().to_vec()).unwrap();
    assert_eq!(row("hv1", 6, &middle, &mut restarted).reconstructed, None);
    assert!(
        row("hv1", 7, &middle, &mut restarted)
            .reconstructed
            .is_some()
    );
}

#[test]
fn a_model_that_cannot_be_used_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| with_model(path).unwrap_err().to_string();
    let missing = error(&folder.path().join("missing"));
    assert!(
        missing.contains("\"resource_model\"") && missing.contains("no such file"),
        "{missing}"
    );
    let other = error(&saved_model(folder.path(), &["cpu", "memory"]));
    assert!(
        other.contains("cpu, memory") && other.contains("cpu_busy, "),
        "{other}"
    );
}

#[test]
fn p_values_of_usual_rows_are_spread_evenly_from_the_third_day_on() {
    let (mut detector, mut noise) = knowing();
    let (mut small, mut rows) = (0, 0);
    for minute in 3600..6 * 1440 {
        let observed = row("hv1", minute, &usual(minute, &mut noise), &mut detector);
        let p = observed.p_values.unwrap();
        assert!(0.0 < p.combined && p.combined <= 1.0, "{p:?}");
        rows += 1;
        small += u32::from(p.combined <= 0.1);
    }
    let share = f64::from(small) / f64::from(rows);
    assert!((0.02..0.25).contains(&share), "{share}");
}

//! HAD under any options and observations: what it says is in its ranges, what it keeps is bounded, nothing gets lost in the
//! counting, and a snapshot goes on as if nothing had happened.
#![no_main]

use arbitrary::Arbitrary;
use bellwether_core::had::{Detector, HadOptions, Observation};
use bellwether_core::units::{Interval, Time};
use bellwether_fuzz::fleet::{Name, Ticks};
use bellwether_fuzz::number::Number;
use bellwether_fuzz::option::{Setting, modest};
use bellwether_fuzz::sound::{sound_event, sound_state};
use bellwether_fuzz::state::Folder;
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
    Ticks(Ticks),
    One {
        hypervisor: Name<'a>,
        vm: Name<'a>,
        other_metric: bool,
        /// Seconds from now.
        ahead: i8,
        time: Option<Number>,
        interval: Number,
        value: Number,
    },
    Advance(u16),
    AdvanceTo(Number),
    Mask(Name<'a>, Name<'a>, bool),
    Events,
    SaveAndLoad,
}

fn detector(settings: &[Setting]) -> Option<Detector> {
    let mut options = HadOptions::default();
    for (name, value) in settings.iter().map(|s| s.of(HadOptions::SPECS)) {
        // A value that is refused leaves the options as they are.
        let _ = options.set(name, &value);
        let too_large = |name: &str| {
            let value: u64 = options.get(name)?.parse().ok()?;
            Some(value > 500)
        };
        if let Some(less) = modest(name)
            && too_large(name) == Some(true)
        {
            options.set(name, less).expect("an option's value");
        }
    }
    Detector::new(options).ok()
}

fuzz_target!(|input: Input| {
    let Some(mut had) = detector(&input.options) else {
        return;
    };
    let (mut clock, mut observed) = (input.start.get(), 0);
    let interval = f64::from(input.interval) + 1.0;
    for step in &input.steps {
        match *step {
            Step::Ticks(ticks) => observed += ticks.feed(&mut had, &mut clock, interval),
            Step::One {
                hypervisor,
                vm,
                other_metric,
                ahead,
                time,
                interval,
                value,
            } => {
                had.observe(&Observation {
                    hypervisor: hypervisor.get(),
                    vm: vm.get(),
                    metric: if other_metric { "disk_ops" } else { "cpu" },
                    time: Time::from_secs(time.map_or(clock + f64::from(ahead), Number::get)),
                    interval: (interval.get() != 0.0).then(|| Interval::from_secs(interval.get())),
                    value: value.get(),
                });
                observed += 1;
            }
            Step::Advance(seconds) => {
                clock += f64::from(seconds);
                had.advance(Time::from_secs(clock));
            }
            Step::AdvanceTo(time) => had.advance(Time::from_secs(time.get())),
            Step::Mask(hypervisor, vm, masked) => had.mask(hypervisor.get(), vm.get(), masked),
            Step::Events => events(&mut had),
            Step::SaveAndLoad => save_and_load(&mut had),
        }
        sound_state(&had);
    }
    let n = had.counters();
    let counted =
        n.taken + n.duplicate + n.late + n.ignored + n.masked + n.refused + n.full + n.set_aside;
    assert_eq!(counted, observed);
    events(&mut had);
});

fn events(had: &mut Detector) {
    while let Some(event) = had.next_event() {
        sound_event(&event);
    }
}

/// What is loaded is what was saved.
fn save_and_load(had: &mut Detector) {
    thread_local!(static FOLDER: Folder = Folder::new());
    FOLDER.with(|folder| {
        let path = folder.path();
        had.save(&path).expect("a temporary file can be written");
        let saved = std::fs::read(&path).expect("it was saved");
        assert!(had.load(&path).expect("it is whole"));
        had.save(&path).expect("a temporary file can be written");
        assert!(
            std::fs::read(&path).expect("it was saved") == saved,
            "what was loaded is not what was saved"
        );
    });
}

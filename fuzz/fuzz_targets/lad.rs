//! LAD under any options and records: what it says is in its ranges, what it keeps is bounded, nothing gets lost in the
//! counting, and a snapshot goes on as if nothing had happened.
#![no_main]

use arbitrary::Arbitrary;
use bellwether_core::inference::Lexicon;
use bellwether_core::lad::{Detector, LadOptions, Outcome, Record, Source, Verdict};
use bellwether_core::units::Time;
use bellwether_fuzz::fleet::Name;
use bellwether_fuzz::line::Line;
use bellwether_fuzz::number::Number;
use bellwether_fuzz::option::{Setting, modest};
use bellwether_fuzz::sound::sound_event;
use bellwether_fuzz::state::Folder;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    options: Vec<Setting<'a>>,
    start: Number,
    lines: Vec<Line<'a>>,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    /// Lines that come again and again, so often.
    Records {
        stream: u8,
        first: u8,
        count: u8,
        apart: u8,
        priority: Option<u8>,
    },
    One {
        stream: Name<'a>,
        time: Number,
        line: Line<'a>,
        priority: Option<u8>,
    },
    Feedback(u8, u8, Option<bool>),
    Advance(u32),
    AdvanceTo(Number),
    Events,
    SaveAndLoad,
}

fn detector(settings: &[Setting]) -> Option<Detector> {
    let mut options = LadOptions::default();
    for (name, value) in settings.iter().map(|s| s.of(LadOptions::SPECS)) {
        // A value that is refused leaves the options as they are.
        let _ = options.set(name, &value);
        if let Some(less) = modest(name) {
            options.set(name, less).expect("an option's value");
        }
    }
    Detector::with_inference(options, Lexicon::builtin().clone()).ok()
}

fuzz_target!(|input: Input| {
    let Some(mut lad) = detector(&input.options) else {
        return;
    };
    let lines: Vec<String> = input.lines.iter().map(Line::text).collect();
    let (mut clock, mut observed) = (input.start.get(), 0);
    for step in &input.steps {
        match step {
            Step::Records {
                stream,
                first,
                count,
                apart,
                priority,
            } if !lines.is_empty() => {
                for n in 0..*count {
                    clock += f64::from(*apart);
                    let which = usize::from(*first) + usize::from(n % 7);
                    let text = &lines[which % lines.len()];
                    observe(&mut lad, Name::Usual(*stream % 4), clock, text, *priority);
                }
                observed += u64::from(*count);
            }
            Step::Records { .. } => {}
            Step::One {
                stream,
                time,
                line,
                priority,
            } => {
                observe(&mut lad, *stream, time.get(), &line.text(), *priority);
                observed += 1;
            }
            Step::Feedback(stream, id, verdict) => {
                let verdict = verdict.map(|failure| match failure {
                    true => Verdict::Failure,
                    false => Verdict::Benign,
                });
                let stream = Name::Usual(*stream % 4).get();
                let known = lad.template(stream, (*id).into()).is_some();
                assert_eq!(lad.feedback(stream, (*id).into(), verdict), known);
            }
            Step::Advance(seconds) => {
                clock += f64::from(*seconds);
                lad.advance(Time::from_secs(clock));
            }
            Step::AdvanceTo(time) => lad.advance(Time::from_secs(time.get())),
            Step::Events => events(&mut lad),
            Step::SaveAndLoad => save_and_load(&mut lad),
        }
        let (options, n) = (lad.options(), lad.counters());
        assert!(n.streams <= options.max_streams as u64);
        assert!(n.windows <= n.streams * options.max_windows as u64);
    }
    let n = lad.counters();
    assert_eq!(n.taken + n.refused + n.full, observed);
    events(&mut lad);
});

fn observe(lad: &mut Detector, stream: Name, time: f64, text: &str, priority: Option<u8>) {
    let stream = stream.get();
    let observed = lad.observe(&Record {
        stream,
        time: Time::from_secs(time),
        text,
        priority,
        source: Source::default(),
    });
    assert!((0.0..=1.0).contains(&observed.score.get()), "{observed:?}");
    assert!(
        (0.0..=1.0).contains(&observed.severity.get()),
        "{observed:?}"
    );
    let taken = observed.outcome == Outcome::Taken;
    assert_eq!(observed.template_id != 0, taken);
    assert!(!taken || lad.template(stream, observed.template_id).is_some());
}

fn events(lad: &mut Detector) {
    while let Some(event) = lad.next_event() {
        sound_event(&event);
    }
}

/// What is loaded is what was saved.
fn save_and_load(lad: &mut Detector) {
    thread_local!(static FOLDER: Folder = Folder::new());
    FOLDER.with(|folder| {
        let path = folder.path();
        lad.save(&path).expect("a temporary file can be written");
        let before = lad.counters();
        assert!(lad.load(&path).expect("it is whole"));
        let after = lad.counters();
        assert_eq!(
            (after.streams, after.templates, after.windows),
            (before.streams, before.templates, before.windows)
        );
    });
}

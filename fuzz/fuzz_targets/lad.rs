//! LAD under any options, seeds, records, answers and feedback: what it says is in its ranges, what it keeps is bounded, no line
//! costs ten times an ordinary one of its length, nothing gets lost in the counting, and a snapshot goes on as if nothing had
//! happened.
#![no_main]

use std::path::Path;

use arbitrary::Arbitrary;
use bellwether_core::drain::Statistics;
use bellwether_core::inference::{Family, Lexicon};
use bellwether_core::lad::{
    Detector, LadOptions, Outcome, QUESTION_MAX_BYTES, Question, Record, Seeds, SharedInference,
    Source, Verdict,
};
use bellwether_core::units::Time;
use bellwether_fuzz::cost::most_steps;
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
    /// Whether it soon has questions, unless an option says otherwise.
    curious: bool,
    start: Number,
    lines: Vec<Line<'a>>,
    /// Whether the lines are those of a fleet's benign logs, too.
    seeds: bool,
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
    Feedback(u8, u8, Decision),
    /// Fetches a question.
    Ask,
    /// Answers one that was fetched.
    Answer(u8, Decision),
    AnswerAny(u64, Decision),
    /// On the template of a stream, or of all streams.
    FeedbackByText(Option<u8>, Template<'a>, Decision),
    Advance(u32),
    AdvanceTo(Number),
    Events,
    SaveAndLoad,
}

/// What an operator or a language model says of a template.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Decision {
    Open,
    Failure,
    Benign,
    LikelyFailure(Option<u8>),
    LikelyBenign,
}

impl Decision {
    fn verdict(self) -> Option<Verdict> {
        let family = |n: u8| Family::ALL[usize::from(n) % Family::ALL.len()];
        match self {
            Self::Open => None,
            Self::Failure => Some(Verdict::Failure),
            Self::Benign => Some(Verdict::Benign),
            Self::LikelyFailure(n) => Some(Verdict::LikelyFailure(n.map(family))),
            Self::LikelyBenign => Some(Verdict::LikelyBenign),
        }
    }
}

/// A template.
#[derive(Arbitrary, Debug)]
enum Template<'a> {
    /// That of a question.
    Asked(u8),
    /// The one of a stream with this number.
    Known(u8, u8),
    Line(Line<'a>),
}

impl Template<'_> {
    fn text(&self, lad: &Detector, asked: &[Question]) -> String {
        match self {
            Self::Asked(which) => {
                one_of(asked, *which).map_or_else(String::new, |q| q.template.clone())
            }
            Self::Known(stream, id) => {
                let known = lad.template(Name::Usual(*stream % 4).get(), (*id).into());
                known.unwrap_or_default().to_owned()
            }
            Self::Line(line) => line.text(),
        }
    }
}

fn one_of<T>(all: &[T], which: u8) -> Option<&T> {
    all.get(usize::from(which) % all.len().max(1))
}

/// A detector with these options, and with seeds of these lines if there are any.
fn detector(settings: &[Setting], curious: bool, seeds: &[String]) -> Option<Detector> {
    let mut options = LadOptions::default();
    if curious {
        (options.questions, options.training) = (4, options.window_size);
    }
    for (name, value) in settings.iter().map(|s| s.of(LadOptions::SPECS)) {
        // A value that is refused leaves the options as they are.
        let _ = options.set(name, &value);
        if let Some(less) = modest(name) {
            options.set(name, less).expect("an option's value");
        }
    }
    let lexicon = Lexicon::builtin();
    if seeds.is_empty() || options.validate().is_err() {
        return Detector::with_inference(options, lexicon.clone()).ok();
    }
    FOLDER.with(|folder| {
        let path = folder.path().with_extension("seeds");
        written_seeds(&options, seeds, &path);
        options.seeds = path.display().to_string();
        // They are refused where they take too much of the memory.
        Detector::with_inference(options, lexicon.clone()).ok()
    })
}

thread_local!(static FOLDER: Folder = Folder::new());

/// Writes a file of seeds, which can be read and is what was learned.
fn written_seeds(options: &LadOptions, lines: &[String], path: &Path) {
    let mut seeds = Seeds::new(options).expect("the options are valid");
    let inference: SharedInference = Lexicon::builtin().clone();
    for (n, text) in lines.iter().enumerate() {
        let left_out = seeds.learn(&inference, &record(NAMES[n % 2], 1.7e9, text, None));
        // A parameter is similar to no word, not even to itself.
        let may_differ = left_out.is_some() || text.contains("<:*:>");
        assert!(may_differ || seeds.has(text), "{text:?}");
    }
    seeds.save(path).expect("a temporary file can be written");
    let read = Seeds::read(options, path).expect("it is whole");
    let listed = |seeds: &Seeds| -> Vec<(String, u64, usize)> {
        let templates = seeds.templates();
        templates
            .map(|t| (t.text.to_owned(), t.records, t.hosts))
            .collect()
    };
    assert_eq!(listed(&read), listed(&seeds));
    assert_eq!(read.fingerprint(), seeds.fingerprint());
}

const NAMES: [&str; 2] = ["host-1", "host-2"];

fuzz_target!(|input: Input| {
    let lines: Vec<String> = input.lines.iter().map(Line::text).collect();
    let seeds = if input.seeds { &lines[..] } else { &[] };
    let Some(mut lad) = detector(&input.options, input.curious, seeds) else {
        return;
    };
    let mut asked: Vec<Question> = Vec::new();
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
                let stream = Name::Usual(*stream % 4).get();
                let known = lad.template(stream, (*id).into()).is_some();
                assert_eq!(lad.feedback(stream, (*id).into(), verdict.verdict()), known);
            }
            Step::Ask => {
                if let Some(question) = lad.next_question() {
                    sound_question(&lad, &question);
                    let last = asked.last().map_or(0, |question| question.id);
                    assert!(question.id > last, "an id comes once");
                    asked.push(question);
                }
            }
            Step::Answer(which, decision) => {
                if let Some(question) = one_of(&asked, *which) {
                    let waiting = lad.counters().questions;
                    let taken = lad.answer(question.id, decision.verdict());
                    assert!(!taken || lad.counters().questions < waiting);
                    assert!(
                        !lad.answer(question.id, decision.verdict()),
                        "it is answered"
                    );
                }
            }
            Step::AnswerAny(id, decision) => {
                let known = asked.iter().any(|question| question.id == *id);
                assert!(!lad.answer(*id, decision.verdict()) || known);
            }
            Step::FeedbackByText(stream, template, decision) => {
                let template = template.text(&lad, &asked);
                let stream = stream.map(|n| Name::Usual(n % 4).get());
                let applied = lad.feedback_by_text(stream, &template, decision.verdict());
                assert!(applied as u64 <= lad.counters().templates);
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
        assert!(n.questions <= options.questions as u64);
    }
    let n = lad.counters();
    assert_eq!(n.taken + n.refused + n.full, observed);
    events(&mut lad);
});

/// What is asked is known, and short.
fn sound_question(lad: &Detector, question: &Question) {
    let template = lad.template(&question.stream, question.template_id);
    let template = template.expect("it is about a template");
    assert!(question.template.len() <= QUESTION_MAX_BYTES && question.count > 0);
    if template.len() <= QUESTION_MAX_BYTES {
        assert_eq!(question.template, template);
    }
    assert!(question.benign.len() <= 8 && !question.benign.contains(&question.template));
    let is_short = |text: &String| text.len() <= QUESTION_MAX_BYTES;
    assert!(question.benign.iter().all(is_short));
}

fn record<'a>(stream: &'a str, time: f64, text: &'a str, priority: Option<u8>) -> Record<'a> {
    Record {
        stream,
        time: Time::from_secs(time),
        text,
        priority,
        source: Source::default(),
    }
}

fn observe(lad: &mut Detector, stream: Name, time: f64, text: &str, priority: Option<u8>) {
    let stream = stream.get();
    let before = lad.parser(stream);
    let observed = lad.observe(&record(stream, time, text, priority));
    if let (Some(before), Some(after)) = (before, lad.parser(stream)) {
        cheap(lad, text, before, after);
    }
    assert!((0.0..=1.0).contains(&observed.score.get()), "{observed:?}");
    assert!(
        (0.0..=1.0).contains(&observed.severity.get()),
        "{observed:?}"
    );
    let taken = observed.outcome == Outcome::Taken;
    assert_eq!(observed.template_id != 0, taken);
    assert!(!taken || lad.template(stream, observed.template_id).is_some());
}

/// The parser took no more steps than ten ordinary lines of this length take.
fn cheap(lad: &Detector, text: &str, before: Statistics, after: Statistics) {
    let options = &lad.options().drain;
    // Many are evicted at once only for what was saved before; a stream that was evicted starts anew; and placeholders that
    // delimiters cut into words have more of them than the line.
    let is_usual = after.lines == before.lines + 1
        && after.evicted <= before.evicted + 1
        && options.masks.is_empty()
        && !options.extra_delimiters.contains(['<', ':', '>']);
    if is_usual {
        let steps = after.steps - before.steps;
        let masked = text.len().min(options.max_line_bytes);
        assert!(
            steps <= most_steps(masked, options),
            "{steps} steps for {text:?}"
        );
    }
}

fn events(lad: &mut Detector) {
    while let Some(event) = lad.next_event() {
        sound_event(&event);
    }
}

/// What is loaded is what was saved.
fn save_and_load(lad: &mut Detector) {
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

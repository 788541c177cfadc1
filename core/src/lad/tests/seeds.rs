//! Templates that are new to the fleet.

use std::path::Path;

use super::*;
use crate::options::OptionError;

const FLEET: [&str; 3] = [
    "session opened for user root",
    "session closed for user root",
    "unit sshd of kind daemon is up",
];

/// Writes a seeds file of these texts.
fn learn(path: &Path, texts: &[&str]) {
    let options = LadOptions::default();
    let inference: SharedInference = Arc::new(Words);
    let mut seeds = Seeds::new(&options).unwrap();
    for text in texts {
        let record = Record {
            stream: "kvm1",
            time: Time::from_secs(0.0),
            text,
            priority: None,
            source: Source::default(),
        };
        seeds.learn(&inference, &record);
    }
    seeds.save(path).unwrap();
}

/// A detector with the fleet's templates.
fn seeded(folder: &Path, settings: &[(&str, &str)]) -> Detector {
    let path = folder.join("seeds");
    learn(&path, &FLEET);
    let seeds = [("seeds", path.to_str().unwrap())];
    detector(&[&seeds, settings].concat())
}

fn refused(settings: &[(&str, &str)]) -> OptionError {
    let mut options = LadOptions::default();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    Detector::with_inference(options, Arc::new(Words)).unwrap_err()
}

/// The state, severity and count of each event for novelty.
fn novelties(detector: &mut Detector) -> Vec<(State, Severity, u64)> {
    let list = events(detector).into_iter().map(|event| {
        let Evidence::LogNovelty(novelty) = &event.evidence else {
            panic!("{event:?}");
        };
        (event.state, event.severity, novelty.count.unwrap())
    });
    list.collect()
}

#[test]
fn the_first_template_that_is_new_to_the_fleet_raises_a_warning_which_ends_after_the_quiet_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut detector = seeded(folder.path(), &[]);
    for (i, text) in (0_u32..).zip(FLEET) {
        let observed = observe(&mut detector, "a", f64::from(i), text);
        assert!(!observed.unseen && !observed.training, "{text}");
    }
    assert!(events(&mut detector).is_empty());
    let text = "quantum flux inverted twice";
    assert!(observe(&mut detector, "a", 10.0, text).unseen);
    assert!(!observe(&mut detector, "a", 11.0, text).unseen);
    let status = |time| detector.statuses(Time::from_secs(time)).next().unwrap();
    assert_eq!(status(12.0).unseen, Some(1));
    assert_eq!(status(2_000.0).unseen, Some(0));
    let raised = events(&mut detector);
    let [event] = &raised[..] else {
        panic!("{raised:?}");
    };
    assert_eq!(event.kind(), EventKind::LogNovelty);
    assert_eq!(
        (event.state, event.severity),
        (State::Raised, Severity::Warning)
    );
    let message = event.message.as_str();
    assert!(
        message.contains("new to this fleet") && message.contains(text),
        "{message}"
    );
    let incident = event.incident;
    assert!(
        observe(
            &mut detector,
            "a",
            20.0,
            "other words entirely different here"
        )
        .unseen
    );
    detector.advance(Time::from_secs(1_800.0));
    assert!(events(&mut detector).is_empty());
    detector.advance(Time::from_secs(1_820.0));
    let cleared = events(&mut detector);
    let [event] = &cleared[..] else {
        panic!("{cleared:?}");
    };
    assert_eq!(
        (event.state, event.incident, event.severity),
        (State::Cleared, incident, Severity::Okay)
    );
    assert_eq!(detector.counters().unseen, 2);
}

#[test]
fn what_the_lexicon_flags_is_no_novelty() {
    let folder = tempfile::tempdir().unwrap();
    let mut detector = seeded(folder.path(), &[]);
    let hint = observe(&mut detector, "a", 0.0, "something slow here today");
    assert!(!hint.unseen && !hint.failure);
    let failure = observe(&mut detector, "a", 1.0, "disk sda failed badly");
    assert!(failure.failure && !failure.unseen);
    let kinds: Vec<EventKind> = events(&mut detector).iter().map(Event::kind).collect();
    assert_eq!(kinds, [EventKind::LogFailure]);
}

#[test]
fn whoever_invents_templates_causes_one_incident_and_an_update_an_hour() {
    let folder = tempfile::tempdir().unwrap();
    let mut detector = seeded(folder.path(), &[]);
    for i in 0..7_200_u32 {
        let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
        let word: String = [i, i / 26, i / 676].map(letter).iter().collect();
        let text = format!("a{word} b{word} c{word}");
        observe(&mut detector, "a", f64::from(i), &text);
    }
    let list = novelties(&mut detector);
    let warning = Severity::Warning;
    assert_eq!(
        list,
        [
            (State::Raised, warning, 1),
            (State::Updated, warning, list[1].2)
        ]
    );
    assert!(list[1].2 > 1_000, "{list:?}");
}

#[test]
fn a_template_that_an_operator_calls_benign_is_no_novelty() {
    let folder = tempfile::tempdir().unwrap();
    let mut detector = seeded(folder.path(), &[]);
    detector.feedback_by_text(None, "quantum flux inverted twice", Some(Verdict::Benign));
    let observed = observe(&mut detector, "a", 0.0, "quantum flux inverted twice");
    assert!(!observed.unseen);
}

#[test]
fn states_with_and_without_seeds_load_into_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut with = seeded(folder.path(), &[]);
    observe(&mut with, "a", 10.0, "quantum flux inverted twice");
    with.save(&state).unwrap();
    let mut same = seeded(folder.path(), &[]);
    let mut without = detector(&[]);
    for other in [&mut same, &mut without] {
        assert!(other.load(&state).unwrap());
        assert_eq!(other.counters().unseen, 1);
        other.advance(Time::from_secs(2_000.0));
        let list: Vec<State> = events(other).iter().map(|event| event.state).collect();
        assert_eq!(list, [State::Raised, State::Cleared]);
    }
    without.save(&state).unwrap();
    let mut again = seeded(folder.path(), &[]);
    assert!(again.load(&state).unwrap());
    assert!(
        observe(
            &mut again,
            "a",
            3_000.0,
            "an unheard of thing arrived at noon"
        )
        .unseen
    );
}

#[test]
fn the_seeds_count_once_whatever_the_number_of_streams() {
    let folder = tempfile::tempdir().unwrap();
    let (mut with, mut without) = (seeded(folder.path(), &[]), detector(&[("training", "0")]));
    let seeds = with.bytes() - without.bytes();
    assert!(seeds > 0);
    for stream in 0..50 {
        for detector in [&mut with, &mut without] {
            observe(detector, &format!("host{stream}"), 0.0, FLEET[0]);
        }
    }
    assert_eq!(with.bytes() - without.bytes(), seeds);
}

#[test]
fn seeds_that_cannot_be_used_are_an_error_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seeds");
    let name = path.to_str().unwrap();
    let error = refused(&[("seeds", name)]).to_string();
    assert!(
        error.contains(name) && error.contains("no such file"),
        "{error}"
    );
    learn(&path, &FLEET);
    let error = refused(&[("seeds", name), ("drain_depth", "6")]).to_string();
    assert!(error.contains("drain_depth"), "{error}");
    let texts: Vec<String> = (0..7_800_u32)
        .map(|i| {
            let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
            let word: String = [i, i / 26, i / 676].map(letter).iter().collect();
            format!("{word} {}", word.repeat(200))
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    learn(&path, &texts);
    let error = refused(&[("seeds", name), ("max_memory_mib", "8")]).to_string();
    assert!(error.contains("max_memory_mib"), "{error}");
}

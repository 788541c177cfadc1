//! Questions about templates, and verdicts that are not certain.

use super::*;

/// A detector that asks, and has learned what is normal.
fn asking(limit: &str) -> Detector {
    let mut detector = detector(&[("questions", limit)]);
    calm(&mut detector, "host-1", 0, 20);
    assert_eq!(detector.next_question(), None);
    detector
}

fn ask(detector: &mut Detector, time: f64, text: &str) -> Question {
    detector.observe(&Record {
        stream: "host-1",
        time: Time::from_secs(time),
        text,
        priority: None,
        source: Source {
            program: b"nvmed",
            ..Source::default()
        },
    });
    detector.next_question().unwrap()
}

const FAILING: Option<Verdict> = Some(Verdict::LikelyFailure(Some(Family::Storage)));

#[test]
fn a_template_in_an_unknown_window_is_asked_about_once_with_its_source_and_benign_neighbors() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    assert_eq!(question.stream, "host-1");
    assert_eq!(question.template, "spare area <:NUM:> below limit");
    assert_eq!((question.program.as_str(), question.count), ("nvmed", 1));
    assert!(!question.benign.is_empty() && !question.benign.contains(&question.template));
    calm(&mut detector, "host-1", 21, 5);
    observe(&mut detector, "host-1", 30.0, "spare area 2 below limit");
    calm(&mut detector, "host-1", 31, 5);
    assert_eq!(detector.next_question(), None);
}

#[test]
fn nothing_is_asked_by_default_nor_of_what_the_lexicon_knows() {
    let mut silent = detector(&[]);
    calm(&mut silent, "host-1", 0, 20);
    observe(&mut silent, "host-1", 20.0, "spare area below limit");
    assert_eq!(silent.next_question(), None);
    assert_eq!(silent.counters().questions, 0);

    let mut detector = asking("8");
    observe(&mut detector, "host-1", 20.0, "check failed");
    calm(&mut detector, "host-1", 21, 5);
    let mut asked = std::iter::from_fn(|| detector.next_question());
    assert!(asked.all(|question| !question.template.contains("failed")));
}

#[test]
fn an_answer_of_failing_raises_a_warning_of_its_family_and_keeps_doing_so() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    assert!(detector.answer(question.id, FAILING));
    let raised = events(&mut detector);
    assert_eq!(raised.len(), 1, "{raised:?}");
    assert_eq!(
        (raised[0].state, raised[0].severity),
        (State::Raised, Severity::Warning)
    );
    let found = raised[0].log_failure().unwrap();
    assert_eq!(found.family.as_deref(), Some("storage"));
    assert_eq!(found.phrase, "likely a failure by feedback");
    let observed = observe(&mut detector, "host-1", 21.0, "spare area 2 below limit");
    assert_eq!((observed.failure, observed.severity.get()), (true, 0.5));
    assert_eq!(observed.family, Some(Family::Storage));
    assert!(!detector.answer(question.id, FAILING), "it was answered");
}

#[test]
fn a_verdict_on_a_template_answers_its_question_whether_it_was_fetched_or_not() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    detector.feedback_by_text(None, &question.template, Some(Verdict::LikelyBenign));
    assert!(!detector.answer(question.id, FAILING));
    let other = observe(&mut detector, "host-1", 21.0, "link of port 7 is flapping");
    assert_eq!(detector.counters().questions, 1);
    detector.feedback("host-1", other.template_id, Some(Verdict::Benign));
    assert_eq!(detector.next_question(), None);
    let counters = detector.counters();
    assert_eq!((counters.questions, counters.questions_dropped), (0, 0));
    // One that was not asked about before is still asked about.
    let next = ask(&mut detector, 22.0, "battery of the controller is at 4");
    assert!(detector.answer(next.id, None));
}

#[test]
fn a_failure_beside_a_warning_of_its_family_is_raised_as_a_failure() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    detector.answer(question.id, FAILING);
    assert_eq!(events(&mut detector)[0].severity, Severity::Warning);
    observe(&mut detector, "host-1", 21.0, "check failed");
    let raised = events(&mut detector);
    assert_eq!(raised.len(), 1);
    assert_eq!(raised[0].severity, Severity::Failure);
}

#[test]
fn an_answer_of_normal_silences_hints_and_no_certain_failure() {
    let mut detector = asking("8");
    let hint = Record {
        stream: "host-1",
        time: Time::from_secs(20.0),
        text: "slow answer",
        priority: Some(2),
        source: Source::default(),
    };
    let hint = detector.observe(&hint);
    assert_eq!((hint.failure, hint.severity.get()), (true, 0.65));
    let failure = observe(&mut detector, "host-1", 21.0, "check failed");
    events(&mut detector);
    for id in [hint.template_id, failure.template_id] {
        assert!(detector.feedback("host-1", id, Some(Verdict::LikelyBenign)));
    }
    assert!(
        events(&mut detector).is_empty(),
        "the failure is still open"
    );
    assert!(observe(&mut detector, "host-1", 22.0, "check failed").failure);
    let hint = detector.observe(&Record {
        stream: "host-1",
        time: Time::from_secs(23.0),
        text: "slow answer",
        priority: Some(2),
        source: Source::default(),
    });
    assert_eq!((hint.failure, hint.severity.get()), (false, 0.0));
}

#[test]
fn an_operators_verdict_is_not_replaced_by_an_answer() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    let benign = Some(Verdict::Benign);
    assert!(detector.feedback("host-1", question.template_id, benign));
    assert!(!detector.answer(question.id, FAILING), "it was answered");
    // Nor by the same word that comes another way.
    assert!(detector.feedback("host-1", question.template_id, FAILING));
    assert!(!observe(&mut detector, "host-1", 21.0, "spare area 2 below limit").failure);
    assert!(events(&mut detector).is_empty());
}

#[test]
fn no_answer_and_unknown_answers_change_nothing() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    assert!(!detector.answer(question.id + 1000, FAILING));
    assert!(detector.answer(question.id, None));
    assert!(!observe(&mut detector, "host-1", 21.0, "spare area 2 below limit").failure);
}

#[test]
fn invented_messages_ask_no_more_than_the_limit() {
    let mut detector = asking("4");
    for i in 0_u32..500 {
        let word = |n: u32| char::from(b'a' + (n % 26) as u8);
        let text = format!("{0}{1}{0} x{1}{1}{0} y{0}", word(i), word(i / 26));
        observe(&mut detector, "host-1", 20.0 + f64::from(i), &text);
    }
    let counters = detector.counters();
    assert_eq!(counters.questions, 4);
    assert!(counters.questions_dropped > 100, "{counters:?}");
    assert!(detector.bytes() < 1 << 20);
}

#[test]
fn a_warning_is_still_one_after_a_restart() {
    let mut detector = asking("8");
    let question = ask(&mut detector, 20.0, "spare area 3 below limit");
    detector.answer(question.id, FAILING);
    events(&mut detector);
    let saved = detector.snapshot();
    let mut restored = asking("8");
    restored.restore(&saved.to_vec()).unwrap();
    observe(&mut restored, "host-1", 21.0, "spare area 2 below limit");
    assert!(events(&mut restored).is_empty(), "it is open already");
    observe(&mut restored, "host-1", 22.0, "check failed");
    assert_eq!(events(&mut restored)[0].severity, Severity::Failure);
    assert_eq!(restored.counters().open_episodes, 2);
    calm(&mut restored, "host-1", 23, 20);
    assert_eq!(restored.next_question(), None, "all was asked before");
}

#[test]
fn a_verdict_by_text_holds_for_all_streams_also_those_to_come_and_after_a_restart() {
    let mut detector = detector(&[]);
    observe(&mut detector, "host-1", 0.0, "check of sda failed");
    observe(&mut detector, "host-2", 0.0, "check of sdb failed");
    assert_eq!(events(&mut detector).len(), 2);
    let benign = Some(Verdict::Benign);
    assert_eq!(
        detector.feedback_by_text(None, "check of <:*:> failed", benign),
        2
    );
    let cleared = events(&mut detector);
    assert!(cleared.iter().all(|event| event.state == State::Cleared));
    assert_eq!(cleared.len(), 2);
    let saved = detector.snapshot().to_vec();
    for restored in [false, true] {
        if restored {
            detector.restore(&saved).unwrap();
        }
        for stream in ["host-1", "host-3"] {
            assert!(!observe(&mut detector, stream, 1.0, "check of sdc failed").failure);
        }
        assert!(observe(&mut detector, "host-3", 1.0, "another check failed").failure);
    }
    detector.feedback_by_text(None, "check of <:*:> failed", None);
    assert!(observe(&mut detector, "host-4", 2.0, "check of sdd failed").failure);
}

#[test]
fn a_verdict_by_text_on_one_stream_leaves_the_others_alone() {
    let mut detector = detector(&[]);
    observe(&mut detector, "host-1", 0.0, "check failed");
    observe(&mut detector, "host-2", 0.0, "check failed");
    let benign = Some(Verdict::Benign);
    let on = Some("host-1");
    assert_eq!(detector.feedback_by_text(on, "check failed", benign), 1);
    assert_eq!(detector.feedback_by_text(on, "no such template", benign), 0);
    assert_eq!(
        detector.feedback_by_text(Some("host-9"), "check failed", benign),
        0
    );
    assert!(!observe(&mut detector, "host-1", 1.0, "check failed").failure);
    assert!(observe(&mut detector, "host-2", 1.0, "check failed").failure);
}

//! What an operator's word changes.

use super::*;

#[test]
fn an_operators_word_that_it_is_no_failure_clears_the_episode_and_holds() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let id = observe(&mut detector, "host-1", 20.0, "check failed").template_id;
    events(&mut detector);
    assert!(detector.feedback("host-1", id, Some(Verdict::Benign)));
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].reason(), Some("reported to be no failure"));
    let observed = observe(&mut detector, "host-1", 21.0, "check failed");
    assert_eq!(
        (
            observed.failure,
            observed.score.get(),
            observed.severity.get()
        ),
        (false, 0.0, 0.0)
    );
    assert!(detector.feedback("host-1", id, None));
    assert!(observe(&mut detector, "host-1", 22.0, "check failed").failure);
    assert!(!detector.feedback("host-1", 999, None) && !detector.feedback("host-9", id, None));
}

#[test]
fn an_episode_of_which_something_is_left_goes_on() {
    let mut detector = detector(&[]);
    let first = observe(&mut detector, "host-1", 0.0, "check failed").template_id;
    observe(
        &mut detector,
        "host-1",
        1.0,
        "the disk in bay seven has failed",
    );
    events(&mut detector);
    detector.feedback("host-1", first, Some(Verdict::Benign));
    assert!(events(&mut detector).is_empty());
    calm(&mut detector, "host-1", 2, 50);
    assert_eq!(events(&mut detector)[0].log_failure().unwrap().count, 1);
}

#[test]
fn an_operators_word_that_it_is_a_failure_raises_what_was_missed_and_unlearns_it() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let observed = observe(&mut detector, "host-1", 20.0, "something odd");
    assert!(observed.novel);
    let windows = detector.counters().windows;
    assert!(detector.feedback("host-1", observed.template_id, Some(Verdict::Failure)));
    assert_eq!(detector.counters().windows, windows - 1);
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1);
    let found = reported[0].log_failure().unwrap();
    assert_eq!((reported[0].score, &found.family), (Share::ONE, &None));
    assert_eq!(found.sample.as_deref(), Some("something odd"));
    assert_eq!(
        observe(&mut detector, "host-1", 21.0, "something odd").score,
        Share::ONE
    );
}

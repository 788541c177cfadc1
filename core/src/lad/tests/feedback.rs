//! Feedback of an operator.

use super::*;

#[test]
fn a_template_marked_benign_clears_the_episode_and_stays_benign() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let id = observe(&mut detector, "host-1", 20.0, "check failed").template_id;
    events(&mut detector);
    assert!(detector.feedback("host-1", id, Some(Verdict::Benign)));
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1);
    assert_eq!(
        reported[0].reason(),
        Some("marked as no failure by feedback")
    );
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
fn an_episode_with_remaining_records_stays_open() {
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
fn a_template_marked_as_failure_raises_what_was_missed_and_is_unlearned() {
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

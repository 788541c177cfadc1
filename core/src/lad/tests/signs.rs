//! What a stream says about its host right now.

use super::*;

fn status(detector: &Detector, stream: &str, time: f64) -> (u32, Option<u32>, u32, f64) {
    let mut all = detector.statuses(Time::from_secs(time));
    let status = all.find(|status| status.stream == stream).unwrap();
    (
        status.failure_minutes,
        status.unseen,
        status.episodes,
        status.last.secs(),
    )
}

#[test]
fn a_stream_says_in_how_many_minutes_it_reported_a_failure_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut detector = detector(&[]);
    calm(&mut detector, "a", 0, 60);
    calm(&mut detector, "b", 0, 60);
    for second in [60, 61, 130, 300] {
        observe(&mut detector, "a", f64::from(second), "disk sda failed");
    }
    assert_eq!(status(&detector, "a", 300.0), (3, None, 1, 300.0));
    assert_eq!(status(&detector, "b", 300.0), (0, None, 0, 59.0));
    detector.save(&path).unwrap();
    let mut restarted = super::detector(&[]);
    assert!(restarted.load(&path).unwrap());
    assert_eq!(status(&restarted, "a", 300.0), (3, None, 1, 300.0));
    // The first of the minutes is over by then.
    assert_eq!(status(&restarted, "a", 60.0 + 1_200.0).0, 2);
}

#[test]
fn a_record_that_an_operator_calls_benign_is_no_failure_of_its_minute() {
    let mut detector = detector(&[]);
    calm(&mut detector, "a", 0, 60);
    let id = observe(&mut detector, "a", 60.0, "disk sda failed").template_id;
    assert!(detector.feedback("a", id, Some(Verdict::Benign)));
    observe(&mut detector, "a", 600.0, "disk sda failed");
    assert_eq!(status(&detector, "a", 600.0).0, 1);
}

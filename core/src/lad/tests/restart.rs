//! Snapshots.

use super::*;

#[test]
fn a_restart_changes_no_event() {
    for settings in [
        &[("novelty_events", "true")][..],
        &[("mode", "paper"), ("anomaly_threshold", "0.3")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut through = detector(settings);
        let mut restarted = detector(settings);
        let mut random = 5_u64;
        let mut reported = (Vec::new(), Vec::new());
        for i in 0..6_000_u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let draw = random >> 33;
            let text = match draw % 97 {
                0 => format!("disk {} failed", draw % 7),
                1..4 if i > 4_000 => format!("word{} never said before {draw:x}", draw % 1_000),
                _ => format!("unit {} of kind k{} is up", draw % 1_000, draw % 5),
            };
            let stream = ["a", "b"][(draw >> 8) as usize % 2];
            assert_eq!(
                observe(&mut through, stream, f64::from(i), &text),
                observe(&mut restarted, stream, f64::from(i), &text)
            );
            if i % 487 == 0 {
                restarted.save(&path).unwrap();
                restarted = detector(settings);
                assert!(restarted.load(&path).unwrap());
            }
            if i % 100 == 99 {
                reported.0.extend(events(&mut through));
                reported.1.extend(events(&mut restarted));
            }
        }
        assert!(reported.0.len() > 2, "{}", reported.0.len());
        assert_eq!(reported.0, reported.1);
        let (mut a, mut b) = (through.counters(), restarted.counters());
        (a.bytes, b.bytes) = (0, 0);
        assert_eq!(a, b);
    }
}

#[test]
fn a_snapshot_of_another_mode_is_refused_and_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    detector(&[]).save(&path).unwrap();
    let mut other = detector(&[("mode", "paper")]);
    let error = other.load(&path).unwrap_err().to_string();
    assert!(error.contains("mode = symbolic"), "{error}");
    assert!(!other.load(&path).unwrap());
}

#[test]
fn counts_of_the_present_state_are_not_taken_from_a_snapshot() {
    let mut detector = Detector::new(LadOptions::default()).unwrap();
    detector.counters.templates = 7;
    detector.counters.templates_evicted = 7;
    detector.counters.windows = 7;
    assert_eq!(detector.counters(), Counters::default());
}

//! What every algorithm has to satisfy; called by the tests of each.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::method::Method;
use super::options::HadOptions;

/// For rows of arbitrary numbers, with VMs that are added, replaced and silent, every verdict is within its bounds.
pub fn verdicts_are_within_bounds(
    method: &mut impl Method,
    rows: &[Vec<f64>],
    reset: usize,
    skip: u64,
) {
    method.resize(2);
    for (t, row) in rows.iter().enumerate() {
        let verdict = method.close(&row[..row.len().min(1 + t)], t % 24);
        assert!((0.0..=1.0).contains(&verdict.score), "{verdict:?}");
        assert!((0.0..=1.0).contains(&verdict.consensus), "{verdict:?}");
        if let Some(alarm) = verdict.alarm {
            assert!(verdict.score >= 0.5, "{verdict:?}");
            assert!((0.0..=1.0).contains(&alarm.distinctiveness), "{alarm:?}");
            assert!((0.0..=1.0).contains(&alarm.consistency), "{alarm:?}");
        }
        match t {
            10 => method.resize(3),
            20 => method.reset(reset),
            30 => method.skip(skip),
            _ => {}
        }
        for slot in 0..4 {
            method.baseline(slot);
            method.shift(slot);
        }
    }
}

/// A saved and restored state continues as if it had never stopped, also with another threshold (`retuned`). With another number
/// of VMs or another window length (`reshaped`) it is refused.
pub fn a_restored_state_goes_on<M>(
    mut method: M,
    restore: impl Fn(&mut M, &HadOptions, usize) -> bool,
    [options, reshaped, retuned]: [&HadOptions; 3],
) where
    M: Method + Clone + Serialize + DeserializeOwned,
{
    method.resize(2);
    let tick = |t: i32| [10.0 + f64::from(t % 3), 20.0 * f64::from(t / 30 + 1)];
    for t in 0..25 {
        method.close(&tick(t), 0);
    }
    let bytes = postcard::to_stdvec(&method).unwrap();
    let mut restored: M = postcard::from_bytes(&bytes).unwrap();
    assert!(!restore(&mut restored.clone(), options, 3));
    assert!(!restore(&mut restored.clone(), reshaped, 2));
    assert!(restore(&mut restored, options, 2));
    for t in 25..50 {
        assert_eq!(restored.close(&tick(t), 0), method.close(&tick(t), 0));
    }
    assert!(restore(&mut restored, retuned, 2));
}

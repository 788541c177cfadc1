//! What holds of all that the detectors say, whatever they were fed.

use bellwether_core::event::Event;
use bellwether_core::had::Detector;

/// An event is in its ranges, and its JSON can be read again.
pub fn sound_event(event: &Event) {
    let json = event.to_json();
    let read: Event = serde_json::from_str(&json).expect("an event can be read again");
    assert_eq!(read.to_json(), json);
    assert!((0.0..=1.0).contains(&event.score.get()), "{json}");
    assert!(
        event.time.secs().is_finite() && event.message.len() <= 255,
        "{json}"
    );
}

/// What HAD keeps is within its options, and what it says of it in its ranges.
pub fn sound_state(had: &Detector) {
    let (options, n) = (had.options(), had.counters());
    assert!(n.hypervisors <= options.max_hypervisors as u64);
    assert!(n.bytes <= (options.max_memory_mib as u64) << 20, "{n:?}");
    for status in had.statuses() {
        assert!((0.0..=1.0).contains(&status.score.get()), "{status:?}");
        assert!((0.0..=1.0).contains(&status.consensus.get()), "{status:?}");
        assert!(status.vms as usize <= options.max_vms, "{status:?}");
        assert!(status.voters <= status.vms, "{status:?}");
    }
}

use bellwether_core::policy::Decision;

use super::{ActionPhase, Store};
use crate::engine::entry::Entry;

fn decision(number: u64, host: &str) -> Decision {
    let json = format!(
        r#"{{"number":{number},"time":{number}.5,"id":{number},"host":"{host}","action":"evacuate","rule":"two_kinds","reasons":["r"]}}"#
    );
    serde_json::from_str(&json).unwrap()
}

#[test]
fn a_decision_is_stored_once_and_another_with_its_number_is_an_error() {
    let store = Store::open(None).unwrap();
    assert!(store.decide(&decision(1, "hv1")).unwrap());
    assert!(!store.decide(&decision(1, "hv1")).unwrap());
    let error = store.decide(&decision(1, "hv2")).unwrap_err().to_string();
    assert!(error.contains("decision 1"), "{error}");
    assert_eq!(store.actions(true, 10).unwrap().len(), 1);
}

#[test]
fn an_evacuation_begins_once_and_ends_once() {
    let store = Store::open(None).unwrap();
    store.decide(&decision(1, "hv1")).unwrap();
    let set = |phase| store.set_action(1, phase, 2.0, "n").unwrap();
    assert!(set(ActionPhase::Started));
    assert!(!set(ActionPhase::Started));
    assert!(set(ActionPhase::Ended));
    assert!(!set(ActionPhase::Failed));
    assert!(store.actions(true, 10).unwrap().is_empty());
    let all = store.actions(false, 10).unwrap();
    assert_eq!(
        (all[0].phase, all[0].note.as_str()),
        (ActionPhase::Ended, "n")
    );
    assert!(!store.set_action(7, ActionPhase::Started, 2.0, "").unwrap());
}

#[test]
fn what_is_not_committed_is_not_there() {
    let store = Store::open(None).unwrap();
    store.begin().unwrap();
    store.audit(1.0, "start", "", "{}").unwrap();
    store.rollback();
    assert!(store.audit_rows(0, 10).unwrap().is_empty());
}

#[test]
fn old_lines_are_deleted_and_those_that_the_state_needs_are_kept() {
    let store = Store::open(None).unwrap();
    for time in 0..10 {
        let line = format!(r#"{{"time":{time}.0,"input":"tick"}}"#);
        store.add(&Entry::from_json(&line).unwrap()).unwrap();
        store.audit(f64::from(time), "start", "", "{}").unwrap();
    }
    store.prune(8.0, 1000, 5).unwrap();
    let mut kept = Vec::new();
    store.entries(0, 100, |seq, _| kept.push(seq)).unwrap();
    assert_eq!(kept, [6, 7, 8, 9, 10]);
    assert_eq!(store.audit_rows(0, 100).unwrap().len(), 2);
    store.prune(0.0, 2, 10).unwrap();
    assert_eq!(store.journal_length().unwrap(), 2);
}

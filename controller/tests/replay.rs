//! A recorded stream gives the decisions that the controller would have made.

mod common;

use bellwether_controller::replay::{ReplayError, replay};
use common::{anomaly, config, failure, policy};
use serde_json::Value;

fn run(text: &str) -> Result<(Vec<Value>, u64), ReplayError> {
    let mut out = Vec::new();
    let replayed = replay(
        &config(&policy("confirm"), None),
        text.as_bytes(),
        &mut out,
        false,
    )?;
    let out = String::from_utf8(out).unwrap();
    let lines = out.lines().map(|line| serde_json::from_str(line).unwrap());
    Ok((lines.collect(), replayed.repeated))
}

#[test]
fn recorded_events_give_the_suggestion_and_repeated_ones_count_once() {
    let text = format!(
        "{}\n\n{1}\n{1}\n",
        anomaly("hv1", 1e9),
        failure("hv1", 1e9 + 30.0, true)
    );
    let (decisions, repeated) = run(&text).unwrap();
    assert_eq!(repeated, 1);
    assert_eq!(decisions[0]["action"], "suggest");
    assert_eq!(decisions[0]["host"], "hv1");
    assert_eq!(run(&text).unwrap().0, decisions);
}

#[test]
fn a_line_that_is_no_entry_is_named_by_its_number() {
    let text = format!("{}\nnonsense\n", anomaly("hv1", 1e9));
    let error = run(&text).unwrap_err().to_string();
    assert!(error.starts_with("line 2: "), "{error}");
}

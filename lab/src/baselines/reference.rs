//! What the reference implementations give on a few small series (tests/cases/baselines/make.py made them).

use serde_json::Value;

/// The cases of the method `name`.
pub fn cases(name: &str) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/baselines");
    let text = std::fs::read_to_string(format!("{folder}/{name}.json")).expect("the cases");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert!(!cases.is_empty());
    cases
}

/// A list of numbers; null is NaN.
pub fn vector(of: &Value) -> Vec<f64> {
    let numbers = of.as_array().expect("a list").iter();
    numbers.map(|n| n.as_f64().unwrap_or(f64::NAN)).collect()
}

/// A list of lists of numbers.
pub fn matrix(of: &Value) -> Vec<Vec<f64>> {
    of.as_array().expect("a list").iter().map(vector).collect()
}

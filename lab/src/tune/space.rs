//! What a search may try: the values of each option that is tuned.

use std::collections::HashSet;

use bellwether_core::options::{Kind, OptionError, Options, Spec};

/// A range that is not given goes from the default over this to the default times this, within what the option takes.
const REACH: f64 = 4.0;
/// A range whose end is this many times its beginning is searched by its logarithm.
const WIDE: f64 = 10.0;
/// Digits of a number that is tried.
const DIGITS: i32 = 4;

/// An option that is tuned, and the values to try.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The option's name.
    pub name: &'static str,
    domain: Domain,
}

#[derive(Debug, Clone, PartialEq)]
enum Domain {
    /// From a number to another one, both included; searched by the logarithm or not.
    Range {
        from: f64,
        to: f64,
        whole: bool,
        logarithmic: bool,
    },
    /// These values.
    List(Vec<String>),
}

/// A value of each parameter, in their order.
pub type Assignment = Vec<String>;

/// The parameter that `text` describes: `NAME`, `NAME=FROM..TO` or `NAME=A,B,C`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn parameter<O: Options>(text: &str) -> Result<Parameter, String> {
    let set = |name: &str, value: &str| O::default().set(name, value);
    let (name, values) = match text.split_once('=') {
        Some((name, values)) => (name.trim(), Some(values.trim())),
        None => (text.trim(), None),
    };
    let is_it = |spec: &&Spec| spec.is_named(name);
    let Some(spec) = O::SPECS.iter().find(is_it) else {
        // The error of setting it names the nearest one.
        return Err(set(name, "").err().map_or_else(
            || format!("unknown option \"{name}\""),
            |error| error.to_string(),
        ));
    };
    let domain = match values {
        None => whole_range(spec)?,
        Some(values) => match values.split_once("..") {
            Some((from, to)) if numeric(spec) => {
                let end = |text: &str| -> Result<f64, String> {
                    set(name, text).map_err(|error| error.to_string())?;
                    text.trim()
                        .parse()
                        .map_err(|_| format!("option \"{name}\": \"{text}\" is no number"))
                };
                let (from, to) = (end(from)?, end(to)?);
                if from >= to {
                    return Err(format!(
                        "option \"{name}\": a range goes from the smaller to the larger number, {to}..{from} for {from}..{to}"
                    ));
                }
                range(from, to, matches!(spec.kind, Kind::Integer { .. }))
            }
            _ => list(spec, values, set)?,
        },
    };
    Ok(Parameter {
        name: spec.name,
        domain,
    })
}

fn numeric(spec: &Spec) -> bool {
    matches!(spec.kind, Kind::Integer { .. } | Kind::Number { .. })
}

fn list(
    spec: &Spec,
    values: &str,
    set: impl Fn(&str, &str) -> Result<(), OptionError>,
) -> Result<Domain, String> {
    let name = spec.name;
    if matches!(spec.kind, Kind::Words { .. }) {
        return Err(format!(
            "option \"{name}\": its value is itself a list and cannot be tuned; give it with --set"
        ));
    }
    let mut words: Vec<String> = Vec::new();
    for word in values.split(',').map(str::trim) {
        set(name, word).map_err(|error| error.to_string())?;
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    if words.len() < 2 {
        return Err(format!(
            "option \"{name}\": \"{values}\" leaves nothing to tune; it takes a range FROM..TO of numbers, or values A,B,..., and \
             --set {name}={values} for one value"
        ));
    }
    Ok(Domain::List(words))
}

/// What an option is tuned over when no range is given.
fn whole_range(spec: &Spec) -> Result<Domain, String> {
    let (min, max, whole) = match spec.kind {
        Kind::Flag => return Ok(Domain::List(vec!["false".into(), "true".into()])),
        Kind::Choice(words) => {
            return Ok(Domain::List(
                words.iter().map(|w| (*w).to_owned()).collect(),
            ));
        }
        Kind::Integer { min, max } => (min as f64, max as f64, true),
        Kind::Number { min, max } => (min, max, false),
        Kind::Words { .. } | Kind::Text { .. } => {
            return Err(format!(
                "option \"{}\": it takes {}, of which there is no range to try; give a value with --set",
                spec.name,
                spec.kind.allowed()
            ));
        }
    };
    let default: f64 = spec.default.parse().unwrap_or(0.0);
    // A share is tried as a whole. So is what is off by default: nothing says of which order it should be.
    if max <= 1.0 || default == 0.0 {
        return Ok(range(min, max, whole));
    }
    let (from, to) = (
        (default / REACH).clamp(min, max),
        (default * REACH).clamp(min, max),
    );
    Ok(match whole {
        true => range(from.ceil(), to.floor(), true),
        false => range(from, to, false),
    })
}

fn range(from: f64, to: f64, whole: bool) -> Domain {
    Domain::Range {
        from,
        to,
        whole,
        logarithmic: from > 0.0 && to >= WIDE * from,
    }
}

impl Parameter {
    /// What is tried, in words.
    pub fn describe(&self) -> String {
        match &self.domain {
            Domain::Range { from, to, .. } => format!("{}={from}..{to}", self.name),
            Domain::List(words) => format!("{}={}", self.name, words.join(",")),
        }
    }

    /// How many values there are to choose from; `None` for a range.
    pub fn choices(&self) -> Option<usize> {
        match &self.domain {
            Domain::Range { .. } => None,
            Domain::List(words) => Some(words.len()),
        }
    }

    /// The value at a place: of a range from 0 to 1, of a list its number.
    pub fn value(&self, place: f64) -> String {
        match &self.domain {
            Domain::List(words) => words[(place.max(0.0) as usize).min(words.len() - 1)].clone(),
            Domain::Range {
                from,
                to,
                whole,
                logarithmic,
            } => {
                let place = place.clamp(0.0, 1.0);
                let value = if *logarithmic {
                    libm::exp(libm::log(*from) + place * (libm::log(*to) - libm::log(*from)))
                } else {
                    from + place * (to - from)
                };
                let value = if *whole {
                    value.round()
                } else {
                    round(value, DIGITS)
                };
                value.clamp(*from, *to).to_string()
            }
        }
    }

    /// The place of a value; NaN where it is outside.
    pub fn place(&self, value: &str) -> f64 {
        match &self.domain {
            Domain::List(words) => words
                .iter()
                .position(|word| word == value)
                .map_or(f64::NAN, |at| at as f64),
            Domain::Range {
                from,
                to,
                logarithmic,
                ..
            } => {
                let inside = |x: &f64| (*from..=*to).contains(x);
                let Some(x) = value.parse::<f64>().ok().filter(inside) else {
                    return f64::NAN;
                };
                if *logarithmic {
                    (libm::log(x) - libm::log(*from)) / (libm::log(*to) - libm::log(*from))
                } else {
                    (x - from) / (to - from)
                }
            }
        }
    }

    /// The values of a grid: all of a list, `steps` of a range, fewer where there are not so many whole numbers.
    pub fn grid(&self, steps: usize) -> Vec<String> {
        let values: Vec<String> = match &self.domain {
            Domain::List(words) => words.clone(),
            Domain::Range { .. } => (0..steps)
                .map(|step| self.value(step as f64 / (steps - 1) as f64))
                .collect(),
        };
        let mut seen = HashSet::new();
        values
            .into_iter()
            .filter(|value| seen.insert(value.clone()))
            .collect()
    }
}

/// A number with so many digits that count.
fn round(value: f64, digits: i32) -> f64 {
    let text = format!("{value:.*e}", digits as usize - 1);
    text.parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::had::HadOptions;
    use bellwether_core::lad::LadOptions;

    #[test]
    fn a_parameter_takes_a_range_a_list_or_what_follows_from_the_table() {
        let of = |text: &str| parameter::<HadOptions>(text).unwrap().describe();
        assert_eq!(of("iad_window_sz=10..40"), "iad_window_sz=10..40");
        assert_eq!(
            of("algorithm=iad, zscore,iad"),
            "algorithm=iad,zscore",
            "twice is once"
        );
        assert_eq!(
            of("zscore_dynamic_filtering"),
            "zscore_dynamic_filtering=false,true"
        );
        assert_eq!(of("zscore_window_short_sz"), "zscore_window_short_sz=5..72");
        assert_eq!(
            parameter::<LadOptions>("window_size").unwrap().describe(),
            "window_size=1..16"
        );
        assert_eq!(of("iad_quorum"), "iad_quorum=0..1");
        // Also by the name of an earlier version.
        assert_eq!(of("quorum"), "iad_quorum=0..1");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        for (text, says) in [
            ("windw_sz", "did you mean \"iad_window_sz\"?"),
            ("iad_window_sz=0..40", "it takes 1 to 100000"),
            ("iad_window_sz=40..10", "10..40"),
            ("iad_window_sz=30", "--set iad_window_sz=30"),
            ("iad_window_sz=30,thirty", "\"thirty\""),
            ("metrics", "--set"),
            ("metrics=cpu,disk_ops", "--set"),
            ("algorithm=iad..rank", "\"iad..rank\""),
        ] {
            let error = parameter::<HadOptions>(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn a_value_has_the_place_that_it_came_from() {
        for text in [
            "iad_window_sz=10..4000",
            "zscore_threshold=0..5",
            "iad_quorum=0.2..0.9",
        ] {
            let parameter = parameter::<HadOptions>(text).unwrap();
            for step in 0..=10 {
                let value = parameter.value(f64::from(step) / 10.0);
                let again = parameter.value(parameter.place(&value));
                assert_eq!(value, again, "{text}");
            }
            assert!(parameter.place("100000").is_nan(), "{text}");
        }
        let list = parameter::<HadOptions>("algorithm=iad,rank").unwrap();
        assert_eq!((list.value(1.7), list.place("rank")), ("rank".into(), 1.0));
        assert!(list.place("zscore").is_nan());
    }

    #[test]
    fn a_grid_has_both_ends_and_no_value_twice() {
        let grid = |text: &str| parameter::<HadOptions>(text).unwrap().grid(5);
        assert_eq!(grid("iad_window_sz=10..11"), ["10", "11"]);
        assert_eq!(grid("iad_quorum=0..1"), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(
            grid("iad_window_sz=10..1000"),
            ["10", "32", "100", "316", "1000"]
        );
    }
}

//! Values of an option that are tried one after the other.

use anyhow::Result;

use bellwether_records::settings::{self, Setting};

/// The values of an option to try one after the other.
#[derive(Debug, Clone)]
pub struct Sweep(pub Vec<Setting>);

/// Values of an option of HAD: `NAME=VALUE,...`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn had_sweep(text: &str) -> Result<Sweep, String> {
    sweep(text, "threshold=1.5,2,2.5", settings::had)
}

/// Values of an option of LAD: `NAME=VALUE,...`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn lad_sweep(text: &str) -> Result<Sweep, String> {
    sweep(text, "window_size=2,4,8", settings::lad)
}

fn sweep(
    text: &str,
    example: &str,
    parse: impl Fn(&str) -> Result<Setting, String>,
) -> Result<Sweep, String> {
    let (name, values) = text
        .split_once('=')
        .ok_or_else(|| format!("it takes the form NAME=VALUE,..., such as {example}"))?;
    let settings = values
        .split(',')
        .map(|value| parse(&format!("{name}={value}")));
    settings.collect::<Result<_, _>>().map(Sweep)
}

/// Each combination of one value of each sweep; a single empty one without sweeps.
pub fn combinations(sweeps: &[Sweep]) -> Vec<Vec<Setting>> {
    sweeps.iter().fold(vec![Vec::new()], |all, Sweep(values)| {
        let longer = |some: &Vec<Setting>| {
            let some = some.clone();
            let each = values.iter().cloned();
            each.map(move |value| [&some[..], &[value]].concat())
        };
        all.iter().flat_map(longer).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_tried_with_every_one_of_the_other_option() {
        let sweeps = ["training=50,100", "window_size=2,4,8"].map(|text| lad_sweep(text).unwrap());
        let all: Vec<String> = combinations(&sweeps)
            .into_iter()
            .map(|some| {
                some.into_iter()
                    .map(|s| s.value)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(all, ["50 2", "50 4", "50 8", "100 2", "100 4", "100 8"]);
        assert!(matches!(&combinations(&[])[..], [none] if none.is_empty()));
    }

    #[test]
    fn a_value_that_the_option_does_not_take_is_named() {
        assert!(had_sweep("threshold").unwrap_err().contains("NAME=VALUE"));
        assert!(
            had_sweep("threshold=1,high")
                .unwrap_err()
                .contains("\"high\"")
        );
    }
}

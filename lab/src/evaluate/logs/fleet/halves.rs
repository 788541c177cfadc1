//! The two halves of the hosts, as log keys that the benign logs of one half define.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, ensure};
use bellwether_core::drain::DrainOptions;
use bellwether_core::model::Vocabulary;
use rayon::prelude::*;

use crate::evaluate::logs::corpus::Corpus;
use crate::evaluate::logs::labels::Label;
use crate::split::divide;
use crate::train::fleet;

/// What one half is trained on, and what is then run over the other.
pub struct Half {
    /// The benign records of each of its series.
    pub benign: Vec<Vec<u32>>,
    /// The series of the other half.
    pub others: Vec<(String, Vec<u32>)>,
    /// Number of keys, with 0 for unknown templates.
    pub keys: usize,
}

/// The halves of the series that have a label. Series of one host are in the same half, and each scenario is split evenly.
///
/// # Errors
/// There is no benign record in one of them, or the options of the parser contradict each other.
pub fn halves(
    corpus: &Corpus,
    labels: &[Label],
    options: &DrainOptions,
    seed: u64,
) -> Result<Vec<Half>> {
    let names: Vec<&str> = corpus.names();
    let labels: BTreeMap<&str, &Label> = labels.iter().map(|label| (&*label.name, label)).collect();
    let labeled: Vec<(usize, &Label)> = names
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at, *labels.get(name)?)))
        .collect();
    let items: Vec<(String, String)> = labeled
        .iter()
        .map(|(_, label)| {
            let host = label.host.as_ref().unwrap_or(&label.name);
            (host.clone(), label.scenario.clone())
        })
        .collect();
    let first = divide(&items, seed);
    let half = |of_first: &bool| {
        let is_in = |at: &usize| first[*at] == *of_first;
        let (here, there): (Vec<usize>, Vec<usize>) = (0..labeled.len()).partition(is_in);
        let of = |numbers: &[usize]| -> Vec<(usize, &Label)> {
            numbers.iter().map(|at| labeled[*at]).collect()
        };
        half(corpus, &of(&here), &of(&there), options)
    };
    [true, false].par_iter().map(half).collect()
}

fn half(
    corpus: &Corpus,
    here: &[(usize, &Label)],
    there: &[(usize, &Label)],
    options: &DrainOptions,
) -> Result<Half> {
    let (benign, others, keys) = match corpus {
        Corpus::Text(series) => {
            let benign = |(at, label): &(usize, &Label)| -> Vec<&str> {
                series[*at].1.texts().take(label.benign_records()).collect()
            };
            let lines: Vec<Vec<&str>> = here.iter().map(benign).collect();
            let templates = fleet::templates(options, lines.iter().flatten().copied())?;
            let mut vocabulary = Vocabulary::new(options, &templates)?;
            let lines = lines.into_iter();
            let benign: Vec<Vec<u32>> = lines
                .map(|lines| fleet::keys(&mut vocabulary, lines.into_iter()))
                .collect();
            let mut keys_of = |(at, label): &(usize, &Label)| {
                let keys = fleet::keys(&mut vocabulary, series[*at].1.texts());
                (label.name.clone(), keys)
            };
            let others = there.iter().map(&mut keys_of).collect();
            (benign, others, templates.len() + 1)
        }
        Corpus::Keys { series, .. } => {
            let mut numbers: HashMap<u64, u32> = HashMap::new();
            let mut learned = |key: &u64| {
                let next = numbers.len() as u32 + 1;
                *numbers.entry(*key).or_insert(next)
            };
            let mut benign = |(at, label): &(usize, &Label)| -> Vec<u32> {
                let keys = series[*at].1.iter().take(label.benign_records());
                keys.map(&mut learned).collect()
            };
            let benign: Vec<Vec<u32>> = here.iter().map(&mut benign).collect();
            let known = |key: &u64| numbers.get(key).copied().unwrap_or(0);
            let keys_of = |(at, label): &(usize, &Label)| {
                let keys = series[*at].1.iter().map(known).collect();
                (label.name.clone(), keys)
            };
            (
                benign,
                there.iter().map(keys_of).collect(),
                numbers.len() + 1,
            )
        }
    };
    ensure!(
        benign.iter().any(|keys| !keys.is_empty()),
        "a half of the hosts has no benign record to train on; it takes labeled series of several hosts"
    );
    Ok(Half {
        benign,
        others,
        keys,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::logs::labels::Fault;

    fn label(name: &str, host: &str, fails: bool) -> Label {
        Label {
            name: name.into(),
            scenario: if fails { "hdd" } else { "benign" }.into(),
            host: Some(host.into()),
            records: 5,
            fault: fails.then(|| Fault {
                inject: 3,
                fail: 4,
                region: 2,
                too_late: 4,
                lead: Vec::new(),
            }),
        }
    }

    #[test]
    fn a_half_knows_the_benign_keys_of_its_own_hosts_only() {
        let series = [("a", 10), ("b", 20), ("c", 30), ("d", 40)]
            .map(|(name, from)| (name.to_owned(), (from..from + 5).collect()))
            .to_vec();
        let corpus = Corpus::Keys {
            series,
            faulty: Default::default(),
        };
        let labels = [
            label("a", "one", false),
            label("b", "one", true),
            label("c", "two", false),
            label("d", "two", true),
        ];
        let halves = halves(&corpus, &labels, &DrainOptions::default(), 1).unwrap();
        for half in &halves {
            let names: Vec<&str> = half.others.iter().map(|(name, _)| &**name).collect();
            assert!(names == ["a", "b"] || names == ["c", "d"], "{names:?}");
            // Of the failing series, the records before the fault.
            assert_eq!(half.benign, [vec![1, 2, 3, 4, 5], vec![6, 7]]);
            assert_eq!(half.keys, 8);
            assert!(half.others.iter().all(|(_, keys)| *keys == [0; 5]));
        }
        assert_ne!(halves[0].others, halves[1].others);
    }
}

//! Splitting data in two halves that share no source: one to train on, one to test on.

use std::collections::{BTreeMap, HashMap};

use crate::hash::fnv1a;

/// For each of `items`, pairs of its source and its kind, whether it is in the training half. Items of one source are in the same
/// half, and each kind is split as evenly as that allows. `seed` decides which source is in which half.
pub fn divide(items: &[(String, String)], seed: u64) -> Vec<bool> {
    let mut sources: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (source, _)) in items.iter().enumerate() {
        sources.entry(source).or_default().push(at);
    }
    let mut sources: Vec<(u64, &str, Vec<usize>)> = sources
        .into_iter()
        .map(|(source, items)| (fnv1a(format!("{seed} {source}").as_bytes()), source, items))
        .collect();
    sources.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let mut train = vec![false; items.len()];
    let mut counts: HashMap<&str, [usize; 2]> = HashMap::new();
    let mut sizes = [0, 0];
    for (_, _, members) in sources {
        let mut there = [0, 0];
        for at in &members {
            let count = counts.entry(&items[*at].1).or_default();
            there = [there[0] + count[0], there[1] + count[1]];
        }
        let half = usize::from((there[0], sizes[0]) > (there[1], sizes[1]));
        for at in members {
            train[at] = half == 0;
            counts.entry(&items[at].1).or_default()[half] += 1;
            sizes[half] += 1;
        }
    }
    train
}

/// A number for each item of `names`, the same for items that share a name, or share one with an item that does.
pub fn linked(names: &[Vec<String>]) -> Vec<usize> {
    let mut link: Vec<usize> = (0..names.len()).collect();
    fn root(link: &mut [usize], mut at: usize) -> usize {
        while link[at] != at {
            link[at] = link[link[at]];
            at = link[at];
        }
        at
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, names) in names.iter().enumerate() {
        for name in names {
            let first = *seen.entry(name).or_insert(at);
            let (one, other) = (root(&mut link, first), root(&mut link, at));
            link[one.max(other)] = one.min(other);
        }
    }
    (0..names.len()).map(|at| root(&mut link, at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_source_is_in_both_halves_and_each_kind_is_in_either() {
        let items: Vec<(String, String)> = (0..60)
            .map(|n| (format!("vm{}", n / 3), ["hdd", "oom"][n / 3 % 2].to_owned()))
            .collect();
        let train = divide(&items, 7);
        for (at, (source, _)) in items.iter().enumerate() {
            let first = items.iter().position(|i| i.0 == *source).unwrap();
            assert_eq!(train[at], train[first], "{source}");
        }
        for kind in ["hdd", "oom"] {
            let of = items.iter().zip(&train).filter(|(i, _)| i.1 == kind);
            assert_eq!(of.filter(|(_, train)| **train).count(), 15, "{kind}");
        }
        assert_eq!(train, divide(&items, 7));
        assert_ne!(train, divide(&items, 8));
    }

    #[test]
    fn what_shares_a_name_is_linked_also_through_others() {
        let names = |all: &[&str]| all.iter().map(|n| (*n).to_owned()).collect();
        let items = [
            names(&["a"]),
            names(&["b"]),
            names(&["c"]),
            names(&["b", "d"]),
            names(&["d", "a"]),
        ];
        let linked = linked(&items);
        assert_eq!(linked, [0, 0, 2, 0, 0]);
    }
}

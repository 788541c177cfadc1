//! How probable a log key is after the one before: an interpolated bigram model with absolute discounting (R. Kneser, H. Ney, "Improved
//! backing-off for m-gram language modeling", ICASSP 1995).

use std::collections::HashMap;

use anyhow::{Context as _, Result};

use crate::train::held_back::{split, threshold};

/// What is taken from each count for pairs that were never seen.
const DISCOUNT: f64 = 0.75;

/// Counts of pairs of keys.
#[derive(Debug, Default)]
pub struct Bigram {
    pairs: HashMap<(u32, u32), u32>,
    /// Of each key: the number of pairs that it begins, that of different ones, and that of different ones that it ends.
    begins: Vec<u32>,
    followers: Vec<u32>,
    leaders: Vec<u32>,
    /// Number of keys that end a pair.
    seen: u32,
}

impl Bigram {
    /// A model of these streams of `keys` keys.
    fn of(streams: &[&[u32]], keys: usize) -> Self {
        let zeros = || vec![0; keys];
        let mut bigram = Self {
            pairs: HashMap::new(),
            begins: zeros(),
            followers: zeros(),
            leaders: zeros(),
            seen: 0,
        };
        for pair in streams.iter().flat_map(|stream| stream.windows(2)) {
            let count = bigram.pairs.entry((pair[0], pair[1])).or_default();
            *count += 1;
            let is_new = u32::from(*count == 1);
            bigram.begins[pair[0] as usize] += 1;
            bigram.followers[pair[0] as usize] += is_new;
            let leaders = &mut bigram.leaders[pair[1] as usize];
            bigram.seen += u32::from(*leaders == 0);
            *leaders += is_new;
        }
        bigram
    }

    /// A model of these streams, and the surprise that at most the share `rate` of a part of them exceeds which was held back from
    /// counting when the threshold was set.
    ///
    /// # Errors
    /// The part that is held back has no pair of keys.
    pub fn trained(streams: &[Vec<u32>], keys: usize, rate: f64) -> Result<(Self, f64)> {
        let (training, held) = split(streams);
        let counted = Self::of(&training, keys);
        let pairs = held.iter().flat_map(|stream| stream.windows(2));
        let surprises = pairs
            .map(|pair| counted.surprise(pair[0], pair[1]))
            .collect();
        let threshold = threshold(surprises, rate, f64::total_cmp)
            .context("the series that are held back for the threshold are too short")?;
        let all: Vec<&[u32]> = streams.iter().map(|stream| &stream[..]).collect();
        Ok((Self::of(&all, keys), threshold))
    }

    /// The negative logarithm of the probability of a key after another.
    fn surprise(&self, before: u32, key: u32) -> f64 {
        let types = self.pairs.len() as f64;
        let keys = self.begins.len() as f64;
        let leaders = f64::from(self.leaders[key as usize]);
        let rest = DISCOUNT * f64::from(self.seen) / keys;
        let alone = ((leaders - DISCOUNT).max(0.0) + rest) / types.max(1.0);
        let begins = f64::from(self.begins[before as usize]);
        if begins == 0.0 {
            return -alone.ln();
        }
        let count = self.pairs.get(&(before, key)).copied().unwrap_or(0);
        let discounted = (f64::from(count) - DISCOUNT).max(0.0);
        let left = DISCOUNT * f64::from(self.followers[before as usize]);
        -((discounted + left * alone) / begins).ln()
    }

    /// 1 for each key that is unknown, or more surprising than the threshold; 0 for all others.
    pub fn flags(&self, keys: &[u32], threshold: f64) -> Vec<f64> {
        let befores = [None].into_iter().chain(keys.iter().map(Some));
        let flag = |(before, key): (Option<&u32>, &u32)| {
            // Nothing is known of what follows an unknown key.
            let before = before.filter(|before| **before > 0);
            let surprising = || before.is_some_and(|b| self.surprise(*b, *key) > threshold);
            f64::from(u8::from(*key == 0 || surprising()))
        };
        befores.zip(keys).map(flag).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_add_up_to_one_after_each_key() {
        let bigram = Bigram::of(&[&[1, 2, 3, 1, 2, 1, 1, 3], &[2, 3, 3]], 5);
        for before in 0..5 {
            let all = (0..5).map(|key| (-bigram.surprise(before, key)).exp());
            let sum: f64 = all.sum();
            assert!((sum - 1.0).abs() < 1e-12, "{before}: {sum}");
        }
    }

    #[test]
    fn what_follows_often_surprises_less_than_what_never_did_and_unknown_keys_are_flagged() {
        let circle = |from: u32| (0..50).map(move |at| 1 + (from + at) % 4).collect();
        let streams: Vec<Vec<u32>> = (0..10).map(circle).collect();
        let (bigram, threshold) = Bigram::trained(&streams, 6, 0.0).unwrap();
        let flags = bigram.flags(&[1, 2, 3, 0, 4, 1, 3], threshold);
        assert_eq!(flags, [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    }
}

//! Which part of the benign data is held back from training, to set the threshold of alarms.

/// One part in this many is held back.
const PART: usize = 10;

/// Whether the source at `at` of `count` is held back as a whole; `None` if they are too few for that, and the end of each is.
fn whole(at: usize, count: usize) -> Option<bool> {
    (count >= PART).then_some(at % PART == PART - 1)
}

/// The part of each source for training, and the part that is held back: every tenth source, or with less than ten sources the last
/// tenth of each.
pub fn split<T>(sources: &[Vec<T>]) -> (Vec<&[T]>, Vec<&[T]>) {
    let count = sources.len();
    let cut = |(at, source): (usize, &Vec<T>)| match whole(at, count) {
        Some(true) => 0,
        Some(false) => source.len(),
        None => source.len() - source.len() / PART,
    };
    let cuts = sources.iter().enumerate().map(cut);
    let parts = sources
        .iter()
        .zip(cuts)
        .map(|(source, at)| source.split_at(at));
    parts.unzip()
}

/// The least value that at most the share `rate` of `values` exceeds; `None` without values.
pub fn threshold<T: Copy>(
    mut values: Vec<T>,
    rate: f64,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> Option<T> {
    values.sort_unstable_by(|a, b| order(b, a));
    let above = (rate * values.len() as f64) as usize;
    values
        .get(above.min(values.len().saturating_sub(1)))
        .copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tenth_source_is_held_back_or_the_end_of_each_where_they_are_few() {
        let many: Vec<Vec<usize>> = (0..25).map(|source| vec![source; 3]).collect();
        let (train, held) = split(&many);
        let there = |parts: &[&[usize]]| -> Vec<usize> {
            parts
                .iter()
                .filter_map(|part| part.first().copied())
                .collect()
        };
        assert_eq!(there(&held), [9, 19]);
        assert_eq!(there(&train).len(), 23);
        let few = [(0..30).collect::<Vec<_>>(), (0..7).collect()];
        let (train, held) = split(&few);
        assert_eq!((train[0].len(), held[0]), (27, &[27, 28, 29][..]));
        assert_eq!((train[1].len(), held[1].len()), (7, 0));
    }

    #[test]
    fn a_threshold_is_exceeded_by_at_most_the_accepted_share() {
        let values: Vec<u32> = (1..=1000).collect();
        let at = |rate| threshold(values.clone(), rate, u32::cmp);
        assert_eq!(
            (at(0.0), at(0.01), at(0.0105)),
            (Some(1000), Some(990), Some(990))
        );
        assert_eq!(
            (at(1.0), threshold(Vec::new(), 0.1, u32::cmp)),
            (Some(1), None)
        );
    }
}

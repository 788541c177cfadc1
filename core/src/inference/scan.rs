//! Multi-pattern search: a radix tree behind a prefix filter.

use super::words::{self, in_word};

/// Bits of each filter; a power of two.
const FILTER_BITS: usize = 1 << 16;
/// No pattern.
const NONE: u32 = u32::MAX;
/// Size of the table of roots: two bytes of seven bits each.
const ROOTS: usize = 1 << 14;

/// A radix tree of all patterns, with a prefix filter (Bloom filters of the first bytes) in front.
///
/// Patterns begin where words begin, and few words begin like a pattern, so the filter rejects most words after a look at eight
/// bytes. That is several times as fast as an automaton that steps through every byte. Where the first word of a pattern is whole, the
/// filter compares whole words: many begin like a short one.
#[derive(Debug)]
pub(super) struct Scanner {
    /// The first word of patterns, cut to eight bytes, where it is whole or as long.
    word: Filter,
    /// The first four bytes of the others that have four to seven.
    four: Filter,
    /// The first two or three bytes of the shorter ones.
    short: Filter,
    /// The root node of each pair of first bytes; 0 for none.
    roots: Box<[u16]>,
    /// All nodes; the children of a node are contiguous.
    nodes: Vec<Node>,
    /// The first byte of every node's label.
    firsts: Vec<u8>,
    /// All labels, concatenated.
    labels: Vec<u8>,
}

/// A node of the radix tree.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Where its label begins, and how long it is.
    label: u32,
    label_len: u16,
    /// Number of children, and the index of the first.
    children: u16,
    first_child: u32,
    /// The pattern that ends here.
    pattern: u32,
}

/// A node without its label yet: its index, the sorted patterns below it, and the offset at which they continue.
type Open<'a> = (usize, &'a [(&'a [u8], u32)], usize);

impl Scanner {
    /// A scanner for `patterns`: distinct, in lower case, of two bytes or more, beginning with a word character, each with whether
    /// its last word may continue. The number of a pattern is its index.
    pub fn new(patterns: &[(String, bool)]) -> Scanner {
        let mut filters = [Filter::new(), Filter::new(), Filter::new()];
        let [word, four, short] = &mut filters;
        for (pattern, open) in patterns {
            let pattern = pattern.as_bytes();
            let length = pattern.iter().take_while(|&&byte| in_word(byte)).count();
            if !open || length < pattern.len() {
                word.add(cut(first(pattern, 0), length));
                continue;
            }
            match *pattern {
                [_, _, _, _, _, _, _, _, ..] => word.add(first(pattern, 0)),
                [_, _, _, _, ..] => four.add(first(pattern, 0) & FOUR),
                [_, _, _] => short.add(first(pattern, 0)),
                [a, b] => (0..=u8::MAX).for_each(|c| short.add(first(&[a, b, c], 0))),
                _ => unreachable!("patterns have two bytes or more"),
            }
        }
        let [word, four, short] = filters;
        let mut scanner = Scanner {
            word,
            four,
            short,
            roots: vec![0; ROOTS].into(),
            nodes: Vec::new(),
            firsts: Vec::new(),
            labels: Vec::new(),
        };
        scanner.build(patterns);
        scanner
    }

    /// Builds the tree of `patterns`.
    fn build(&mut self, patterns: &[(String, bool)]) {
        let mut sorted: Vec<(&[u8], u32)> = patterns
            .iter()
            .enumerate()
            .map(|(index, (pattern, _))| (pattern.as_bytes(), index as u32))
            .collect();
        sorted.sort_unstable_by_key(|&(pattern, _)| (Self::root(pattern[0], pattern[1]), pattern));
        let mut open: Vec<Open<'_>> = Vec::new();
        // Node 0 stands for none.
        self.node(0);
        for group in
            sorted.chunk_by(|(a, _), (b, _)| Self::root(a[0], a[1]) == Self::root(b[0], b[1]))
        {
            let node = self.node(0);
            let (pattern, _) = group[0];
            self.roots[Self::root(pattern[0], pattern[1])] = node
                .try_into()
                .expect("there are fewer roots than pairs of letters");
            // A root has no label, because it is shared by bytes that differ in the case bit or the highest bit only.
            self.branch(node, group, 0, &mut open);
        }
        while let Some((node, group, from)) = open.pop() {
            let (first, pattern) = group[0];
            let (last, _) = group[group.len() - 1];
            let common = first[from..]
                .iter()
                .zip(&last[from..])
                .take_while(|(a, b)| a == b);
            let to = from + common.count();
            self.nodes[node].label = self.labels.len() as u32;
            self.nodes[node].label_len = (to - from) as u16;
            self.labels.extend(&first[from..to]);
            let mut rest = group;
            if first.len() == to {
                self.nodes[node].pattern = pattern;
                rest = &group[1..];
            }
            self.branch(node, rest, to, &mut open);
        }
    }

    /// Adds the children of `node` for the sorted patterns `group`, which are equal before `from`.
    fn branch<'a>(
        &mut self,
        node: usize,
        group: &'a [(&'a [u8], u32)],
        from: usize,
        open: &mut Vec<Open<'a>>,
    ) {
        self.nodes[node].first_child = self.nodes.len() as u32;
        for branch in group.chunk_by(|(a, _), (b, _)| a[from] == b[from]) {
            let child = self.node(branch[0].0[from]);
            open.push((child, branch, from));
            self.nodes[node].children += 1;
        }
    }

    fn node(&mut self, first: u8) -> usize {
        self.firsts.push(first);
        self.nodes.push(Node {
            label: 0,
            label_len: 0,
            children: 0,
            first_child: 0,
            pattern: NONE,
        });
        self.nodes.len() - 1
    }

    #[inline]
    fn root(a: u8, b: u8) -> usize {
        usize::from(a.to_ascii_lowercase() & 0x7f) << 7 | usize::from(b.to_ascii_lowercase() & 0x7f)
    }

    /// Calls `found` with number, start and end of every occurrence of a pattern at the beginning of a word, in order of their
    /// starts, until it returns false. Occurrences in which the last word continues may be missing, if it may not.
    #[inline]
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize) -> bool) {
        words::begins(text, |at| {
            let first = first(text, at);
            let may_begin = self.word.has(cut(first, words::length(first)))
                || self.four.has(first & FOUR)
                || self.short.has(first & THREE);
            !may_begin || self.walk(text, at, &mut found)
        });
    }

    /// Reports the patterns that begin at `start`; returns whether to continue.
    #[inline(never)]
    fn walk(
        &self,
        text: &[u8],
        start: usize,
        found: &mut impl FnMut(usize, usize, usize) -> bool,
    ) -> bool {
        let Some(&second) = text.get(start + 1) else {
            return true;
        };
        let mut node = usize::from(self.roots[Self::root(text[start], second)]);
        let mut at = start;
        loop {
            let Node {
                first_child,
                children,
                ..
            } = self.nodes[node];
            let Some(byte) = text.get(at).map(u8::to_ascii_lowercase) else {
                return true;
            };
            let first_child = first_child as usize;
            let mut firsts = self.firsts[first_child..first_child + usize::from(children)].iter();
            let Some(which) = firsts.position(|&first| first == byte) else {
                return true;
            };
            node = first_child + which;
            let Node {
                label,
                label_len,
                pattern,
                ..
            } = self.nodes[node];
            let label = &self.labels[label as usize..label as usize + usize::from(label_len)];
            let bytes = text.get(at..at + label.len());
            if !bytes.is_some_and(|bytes| bytes.eq_ignore_ascii_case(label)) {
                return true;
            }
            at += label.len();
            if pattern != NONE && !found(pattern as usize, start, at) {
                return false;
            }
        }
    }
}

/// The lowest four and three bytes of eight.
const FOUR: u64 = 0xffff_ffff;
const THREE: u64 = 0x00ff_ffff;

/// The eight bytes of `text` from `at` on, padded with zeros.
#[inline]
fn first(text: &[u8], at: usize) -> u64 {
    match text.get(at..at + 8) {
        Some(eight) => u64::from_le_bytes(eight.try_into().expect("eight bytes")),
        None => {
            let mut eight = [0; 8];
            let rest = &text[at..];
            let len = rest.len().min(8);
            eight[..len].copy_from_slice(&rest[..len]);
            u64::from_le_bytes(eight)
        }
    }
}

/// The first `length` bytes of eight; the others become zeros.
#[inline]
fn cut(eight: u64, length: usize) -> u64 {
    match length {
        0..8 => eight & ((1 << (8 * length)) - 1),
        _ => eight,
    }
}

/// A Bloom filter of words of eight bytes, ignoring case.
#[derive(Debug)]
struct Filter(Box<[u64]>);

impl Filter {
    fn new() -> Filter {
        Filter(vec![0; FILTER_BITS / 64].into())
    }

    fn add(&mut self, bytes: u64) {
        let bit = Self::bit(bytes);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    #[inline]
    fn has(&self, bytes: u64) -> bool {
        let bit = Self::bit(bytes);
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[inline]
    fn bit(bytes: u64) -> usize {
        // The bit 0x20 is the case of a letter. Some punctuation becomes equal as well, which costs only a false positive.
        let bytes = bytes | 0x2020_2020_2020_2020;
        (bytes.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - FILTER_BITS.ilog2())) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: &[&str] = &[
        "warp",
        "warp core",
        "core",
        "x] core",
        "l1",
        "re",
        "relic",
        "relax",
        "rel",
        "é core",
        "warp core core",
    ];

    fn scan(text: &str) -> Vec<(usize, usize, usize)> {
        let patterns: Vec<_> = PATTERNS.iter().map(|&p| (p.to_owned(), true)).collect();
        let mut all = Vec::new();
        Scanner::new(&patterns).scan(text.as_bytes(), |pattern, start, end| {
            all.push((pattern, start, end));
            true
        });
        all
    }

    #[test]
    fn every_occurrence_at_the_beginning_of_a_word_is_found() {
        assert_eq!(scan("Warp Core"), [(0, 0, 4), (1, 0, 9), (2, 5, 9)]);
        assert_eq!(scan("[X] core"), [(3, 1, 8), (2, 4, 8)]);
        assert_eq!(scan("swarp escore"), []);
        assert_eq!(scan("at L1"), [(4, 3, 5)]);
        assert_eq!(scan("RELAX"), [(5, 0, 2), (8, 0, 3), (7, 0, 5)]);
        assert_eq!(scan("r"), []);
    }

    #[test]
    fn a_word_that_may_not_continue_is_found_whole() {
        let patterns = ["in", "core", "warp core", "reactors", "impulse"];
        let patterns = patterns.map(|pattern| (pattern.to_owned(), false));
        let scanner = Scanner::new(&patterns);
        let texts = ["In", "core.", "warp cores", "reactors", "impulse"];
        for (index, text) in texts.into_iter().enumerate() {
            let mut found = Vec::new();
            scanner.scan(text.as_bytes(), |pattern, _, _| {
                found.push(pattern);
                true
            });
            assert!(found.contains(&index), "{text}");
        }
        scanner.scan(b"inner cored impulses", |pattern, _, _| {
            unreachable!("{pattern} is no whole word")
        });
    }

    #[test]
    fn it_stops_when_asked_to() {
        let patterns = [("warp".to_owned(), true)];
        let mut count = 0;
        Scanner::new(&patterns).scan(b"warp warp warp", |_, _, _| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
    }

    #[test]
    fn a_scanner_of_no_patterns_finds_none() {
        Scanner::new(&[]).scan(b"warp core", |_, _, _| {
            unreachable!("there is nothing to find")
        });
    }

    proptest::proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(text in "([ warpcoel1\\]xRéÉi]|warp|core|relax| ){0,40}") {
            let lower = text.to_ascii_lowercase();
            let lower = lower.as_bytes();
            let mut plain = Vec::new();
            for start in 0..lower.len() {
                let within = start > 0 && in_word(lower[start - 1]);
                for (index, pattern) in PATTERNS.iter().enumerate() {
                    if !within && lower[start..].starts_with(pattern.as_bytes()) {
                        plain.push((index, start, start + pattern.len()));
                    }
                }
            }
            let mut scanned = scan(&text);
            scanned.sort_unstable();
            plain.sort_unstable();
            proptest::prop_assert_eq!(scanned, plain);
        }
    }
}

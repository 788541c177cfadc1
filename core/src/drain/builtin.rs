//! The built-in masks, applied in one pass over the bytes of a line.
//!
//! They are the ordered regular expressions that VMFT-LAD was published with, each replacing all of its matches before the next
//! one sees the line. All but CMD are enclosed in the boundaries `((?<=[^A-Za-z0-9])|^)` and `((?=[^A-Za-z0-9])|$)`:
//!
//! | mask | matches |
//! | --- | --- |
//! | ID | `([0-9a-f]{2,}:){3,}([0-9a-f]{2,})` |
//! | IP | `\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}` |
//! | SEQ | `([0-9a-f]{6,} ?){3,}`, then `([0-9A-F]{4} ?){4,}` |
//! | HEX | `0x[a-f0-9A-F]+` |
//! | NUM | `[\-\+]?\d+` |
//! | CMD | `".+?"` after `executed cmd ` |
//!
//! Because of the boundaries, a match consists of whole words (maximal runs of ASCII letters and digits), so one pass over the
//! words finds all matches. The order of the masks matters only where an earlier mask takes a word that a later one would
//! continue with, which is checked there. Digits are ASCII digits; Python's `\d` also matches those of other scripts.

use super::candidates::{self, Candidate};
use super::mask::Values;

/// A placeholder in the masked line and the part of the line that it replaces, as byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Start of the placeholder in the masked text.
    pub masked: usize,
    /// Its length.
    pub len: usize,
    /// Start of the replaced part in the text before masking.
    pub from: usize,
    /// End of the replaced part.
    pub to: usize,
}

const ID: &str = "<:ID:>";
const IP: &str = "<:IP:>";
const SEQ: &str = "<:SEQ:>";
const HEX: &str = "<:HEX:>";
const NUM: &str = "<:NUM:>";
const CMD: &str = "<:CMD:>";
/// The most digits of a number in [`Values::Numbers`].
pub(super) const DIGITS_MAX: usize = 10;
/// The least groups of six lower-case hexadecimal digits in a SEQ, and of four in upper case.
const LOWER_GROUPS_MIN: usize = 3;
const UPPER_GROUPS_MIN: usize = 4;
/// A masked command follows this text.
const CMD_PREFIX: &[u8] = b"executed cmd ";

/// A letter or digit, as opposed to a boundary.
const WORD: u8 = 1;
const DIGIT: u8 = 2;
/// 0-9a-f
const LOWER_HEX: u8 = 4;
/// 0-9A-F
const UPPER_HEX: u8 = 8;
const ANY_HEX: u8 = 16;

const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        let lower = b.is_ascii_digit() || (b >= b'a' && b <= b'f');
        let upper = b.is_ascii_digit() || (b >= b'A' && b <= b'F');
        table[byte] = (b.is_ascii_alphanumeric() as u8 * WORD)
            | (b.is_ascii_digit() as u8 * DIGIT)
            | (lower as u8 * LOWER_HEX)
            | (upper as u8 * UPPER_HEX)
            | ((lower || upper) as u8 * ANY_HEX);
        byte += 1;
    }
    table
};

#[inline]
fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// A maximal run of letters and digits, possibly empty.
#[derive(Clone, Copy)]
struct Word {
    from: usize,
    to: usize,
    /// The classes that contain all of its bytes.
    all: u8,
}

impl Word {
    #[inline]
    fn at(bytes: &[u8], from: usize) -> Self {
        let mut all = u8::MAX;
        let mut to = from;
        while let Some(&byte) = bytes.get(to)
            && class(byte) & WORD != 0
        {
            all &= class(byte);
            to += 1;
        }
        #[cfg(test)]
        tests::SCANNED.set(tests::SCANNED.get() + to - from + 1);
        Self { from, to, all }
    }

    #[inline]
    fn len(self) -> usize {
        self.to - self.from
    }

    #[inline]
    fn is(self, classes: u8) -> bool {
        self.all & classes != 0 && self.len() > 0
    }
}

/// Appends `text` with all matches replaced to `out`, and calls `replaced` for each. Returns what they were.
#[inline]
pub(super) fn mask(text: &str, out: &mut String, mut replaced: impl FnMut(Span)) -> Values {
    let bytes = text.as_bytes();
    let mut others = false;
    // Everything before this offset has been written.
    let mut written = 0;
    // The end of the last match of a mask before NUM, which is a boundary for NUM.
    let mut fence = usize::MAX;
    candidates::each(bytes, |candidate| {
        let (placeholder, from, to) = match candidate {
            // Part of a previous match.
            Candidate::Word(at) | Candidate::Quote(at) if at < written => return,
            Candidate::Word(at) => match matched(bytes, Word::at(bytes, at)) {
                None => return,
                Some((NUM, to)) => {
                    let from = signed(bytes, at, written, fence);
                    others |= from < at || to - at > DIGITS_MAX;
                    (NUM, from, to)
                }
                Some((placeholder, to)) => {
                    others |= placeholder != IP;
                    fence = to;
                    (placeholder, at, to)
                }
            },
            Candidate::Quote(at) if bytes[..at].ends_with(CMD_PREFIX) => match quoted(bytes, at) {
                None => return,
                Some(to) => {
                    others = true;
                    (CMD, at, to)
                }
            },
            Candidate::Quote(_) => return,
        };
        out.push_str(&text[written..from]);
        replaced(Span {
            masked: out.len(),
            len: placeholder.len(),
            from,
            to,
        });
        out.push_str(placeholder);
        written = to;
    });
    out.push_str(&text[written..]);
    match (written, others) {
        (0, _) => Values::None,
        (_, false) => Values::Numbers,
        (_, true) => Values::Others,
    }
}

/// The mask that matches at `word`, and the end of the match.
#[inline]
fn matched(bytes: &[u8], word: Word) -> Option<(&'static str, usize)> {
    if !word.is(ANY_HEX) {
        let hex = bytes[word.from] == b'0' && is_hex(&bytes[word.from..word.to]);
        return hex.then_some((HEX, word.to));
    }
    let next = bytes.get(word.to).copied();
    if next == Some(b':')
        && let Some(to) = id(bytes, word.from)
    {
        return Some((ID, to));
    }
    if next == Some(b'.')
        && let Some(to) = ip(bytes, word.from)
    {
        return Some((IP, to));
    }
    // Others are too short, and no word continues them.
    if word.len() >= 4
        && (next == Some(b' ') || word.len() >= 4 * UPPER_GROUPS_MIN)
        && let Some(to) = lower_seq(bytes, word.from).or_else(|| upper_seq(bytes, word.from))
    {
        return Some((SEQ, to));
    }
    word.is(DIGIT).then_some((NUM, word.to))
}

/// Whether `word` is `0x` followed by hexadecimal digits.
fn is_hex(word: &[u8]) -> bool {
    word.len() > 2 && word.starts_with(b"0x") && word[2..].iter().all(|&b| class(b) & ANY_HEX != 0)
}

/// The start of the number whose first digit is at `at`: includes its sign if a boundary precedes that.
fn signed(bytes: &[u8], at: usize, written: usize, fence: usize) -> usize {
    if at == 0 || at == written || !matches!(bytes[at - 1], b'-' | b'+') {
        return at;
    }
    let sign = at - 1;
    let border = sign == 0 || sign == fence || class(bytes[sign - 1]) & WORD == 0;
    if border { sign } else { at }
}

/// The end of an ID that begins at `from`: four or more words of lower-case hexadecimal digits, separated by colons.
fn id(bytes: &[u8], from: usize) -> Option<usize> {
    let (mut groups, mut to, mut next) = (0, from, from);
    loop {
        let word = Word::at(bytes, next);
        if word.len() < 2 || !word.is(LOWER_HEX) {
            break;
        }
        groups += 1;
        to = word.to;
        if bytes.get(to) != Some(&b':') {
            break;
        }
        next = to + 1;
    }
    (groups >= 4).then_some(to)
}

/// The end of an IP address that begins at `from`: four words of one to three digits, separated by dots.
fn ip(bytes: &[u8], from: usize) -> Option<usize> {
    let mut next = from;
    for part in 0..4 {
        let word = Word::at(bytes, next);
        if !word.is(DIGIT) || word.len() > 3 {
            return None;
        }
        if part == 3 {
            // The last number may be the first word of an ID, which takes precedence.
            return id(bytes, word.from).is_none().then_some(word.to);
        }
        if bytes.get(word.to) != Some(&b'.') {
            return None;
        }
        next = word.to + 1;
    }
    None
}

/// The end of a SEQ of lower-case hexadecimal digits that begins at `from`: words of six or more, separated by single spaces. A
/// long word may count as several, so what matters is how many times six digits fit.
fn lower_seq(bytes: &[u8], from: usize) -> Option<usize> {
    seq(bytes, from, LOWER_GROUPS_MIN, |word| {
        let fits = word.len() >= 6 && word.is(LOWER_HEX) && id(bytes, word.from).is_none();
        fits.then_some(word.len() / 6)
    })
    .map(|to| {
        with_blank(bytes, to, |next| {
            id(bytes, next).or_else(|| ip(bytes, next)).is_some()
        })
    })
}

/// The end of a SEQ of upper-case hexadecimal digits that begins at `from`: groups of four digits, separated by single spaces.
fn upper_seq(bytes: &[u8], from: usize) -> Option<usize> {
    seq(bytes, from, UPPER_GROUPS_MIN, |word| {
        let fits = word.len() % 4 == 0
            && word.is(UPPER_HEX)
            && id(bytes, word.from).is_none()
            && lower_seq(bytes, word.from).is_none();
        fits.then_some(word.len() / 4)
    })
    .map(|to| {
        with_blank(bytes, to, |next| {
            id(bytes, next)
                .or_else(|| ip(bytes, next))
                .or_else(|| lower_seq(bytes, next))
                .is_some()
        })
    })
}

/// The end of the longest run of words from `from` on that are separated by single spaces. `groups` gives the number of groups of
/// each word, or `None` where the run ends. `None` if there are fewer than `least` groups in total.
fn seq(
    bytes: &[u8],
    from: usize,
    least: usize,
    groups: impl Fn(Word) -> Option<usize>,
) -> Option<usize> {
    let (mut sum, mut to, mut next) = (0, from, from);
    loop {
        let word = Word::at(bytes, next);
        let Some(worth) = groups(word) else { break };
        sum += worth;
        to = word.to;
        if bytes.get(to) != Some(&b' ') {
            break;
        }
        next = to + 1;
    }
    (sum >= least).then_some(to)
}

/// A SEQ includes the space after it if a boundary follows that: the end of the line, no letter or digit, or what is already a
/// placeholder (`masked`).
fn with_blank(bytes: &[u8], to: usize, masked: impl Fn(usize) -> bool) -> usize {
    if bytes.get(to) != Some(&b' ') {
        return to;
    }
    match bytes.get(to + 1) {
        Some(&byte) if class(byte) & WORD != 0 && !masked(to + 1) => to,
        _ => to + 1,
    }
}

/// The end of the quoted text that begins at `from`: at least one character, on one line.
fn quoted(bytes: &[u8], from: usize) -> Option<usize> {
    let inside = &bytes[from + 1..];
    if inside.first().is_none_or(|&b| b == b'\n') {
        return None;
    }
    let end = inside[1..].iter().position(|&b| b == b'"' || b == b'\n')? + 1;
    (inside[end] == b'"').then_some(from + 1 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::hostile::{HOSTILE, Random};
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::sync::LazyLock;

    thread_local! {
        /// Bytes of words that this thread has looked at.
        pub(super) static SCANNED: Cell<usize> = const { Cell::new(0) };
    }

    /// The masks as they were published, for an engine that has look-around.
    static PUBLISHED: LazyLock<Vec<(fancy_regex::Regex, &str)>> = LazyLock::new(|| {
        let bordered = |inner: &str| format!("((?<=[^A-Za-z0-9])|^)({inner})((?=[^A-Za-z0-9])|$)");
        [
            (bordered("([0-9a-f]{2,}:){3,}([0-9a-f]{2,})"), ID),
            (bordered(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}"), IP),
            (bordered("([0-9a-f]{6,} ?){3,}"), SEQ),
            (bordered("([0-9A-F]{4} ?){4,}"), SEQ),
            (bordered("0x[a-f0-9A-F]+"), HEX),
            (bordered(r"[\-\+]?\d+"), NUM),
            ("(?<=executed cmd )(\".+?\")".to_owned(), CMD),
        ]
        .into_iter()
        .map(|(pattern, name)| (fancy_regex::Regex::new(&pattern).unwrap(), name))
        .collect()
    });

    fn by_regexes(text: &str) -> String {
        PUBLISHED
            .iter()
            .fold(text.to_owned(), |text, (regex, placeholder)| {
                regex.replace_all(&text, *placeholder).into_owned()
            })
    }

    fn by_one_pass(text: &str) -> String {
        let mut out = String::new();
        mask(text, &mut out, |_| {});
        out
    }

    #[test]
    fn each_mask_matches_what_it_should() {
        for (text, masked) in [
            ("", ""),
            ("port 22", "port <:NUM:>"),
            ("eth0 vnet12", "eth0 vnet12"),
            ("[ 12.345]", "[ <:NUM:>.<:NUM:>]"),
            (
                "a-5 -5 +5 --5 5-5",
                "a-<:NUM:> <:NUM:> <:NUM:> -<:NUM:> <:NUM:>-<:NUM:>",
            ),
            ("_7_", "_<:NUM:>_"),
            ("é7é", "é<:NUM:>é"),
            ("mac 52:54:00:aa:bb:cc up", "mac <:ID:> up"),
            ("10.0.0.1:22", "<:IP:>:<:NUM:>"),
            ("1.2.3.4.5", "<:IP:>.<:NUM:>"),
            ("10.0.0.11:22:33:44", "<:NUM:>.<:NUM:>.<:NUM:>.<:ID:>"),
            ("rip 0xffFF1 0x 0xg", "rip <:HEX:> 0x 0xg"),
            ("0x5-6", "<:HEX:><:NUM:>"),
            ("abcdef abcdef 012345 x", "<:SEQ:> x"),
            ("abcdef abcdef 012345 -1", "<:SEQ:><:NUM:>"),
            ("abcdefabcdefabcdef", "<:SEQ:>"),
            ("abcdef abcdef 012345 10.0.0.1", "<:SEQ:><:IP:>"),
            ("ABCD 0123 FFFF 0000", "<:SEQ:>"),
            ("ABCD 0123 FFFF", "ABCD <:NUM:> FFFF"),
            ("executed cmd \"kill 5\" now", "executed cmd <:CMD:> now"),
            ("executed cmd \"\" \"", "executed cmd <:CMD:>"),
            ("executed cmd \"a\nb\"", "executed cmd \"a\nb\""),
        ] {
            assert_eq!(by_one_pass(text), masked, "{text:?}");
            assert_eq!(by_regexes(text), masked, "the regexes: {text:?}");
        }
    }

    #[test]
    fn no_line_is_read_more_often_than_a_few_times() {
        let mut random = Random::new(1);
        let nested = [
            "0123 ",
            "abcdef abcdef ",
            "1.2.3.11:",
            "aaaaaa:bb:cc:",
            "0123456789ab ",
        ];
        let nested = nested.iter().map(|piece| piece.repeat(4096 / piece.len()));
        let attacks = HOSTILE.iter().flat_map(|(_, family)| {
            let mut lines = vec![String::new(); 40];
            for line in &mut lines {
                family(&mut random, 4096, line);
            }
            lines
        });
        for line in nested.chain(attacks) {
            let before = SCANNED.get();
            by_one_pass(&line);
            let scanned = SCANNED.get() - before;
            assert!(scanned <= 12 * line.len(), "{scanned} bytes of {line:?}");
        }
    }

    /// Text in which matches, near matches and matches side by side are frequent.
    fn suspicious() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            4 => "[0-9a-f]{1,7}",
            2 => "[0-9A-F]{4}",
            2 => "[0-9]{1,8}",
            1 => "[0-9]{12,20}|[0-9a-f]{12,20}",
            1 => "0x[0-9a-fA-Fg]{0,5}",
            1 => "[a-zA-Z0-9]{1,6}",
            1 => Just("executed cmd \"".to_owned()),
            1 => Just("10.0.0.1".to_owned()),
            1 => Just("aa:bb:cc:dd".to_owned()),
            1 => Just("abcdef 012345 abcdef".to_owned()),
            1 => Just("0123 4567 89AB CDEF".to_owned()),
        ];
        let between = prop_oneof![
            6 => Just(" "), 3 => Just(":"), 3 => Just("."), 1 => Just("-"), 1 => Just("+"), 1 => Just("\""),
            1 => Just("_"), 1 => Just("  "), 1 => Just("é"), 1 => Just("\n"), 1 => Just(""), 1 => Just(" -"),
        ];
        proptest::collection::vec((piece, between), 0..14)
            .prop_map(|parts| parts.into_iter().map(|(a, b)| a + b).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn one_pass_gives_what_the_regexes_in_order_give(text in suspicious()) {
            prop_assert_eq!(by_one_pass(&text), by_regexes(&text));
        }

        #[test]
        fn every_placeholder_is_reported_with_what_it_replaces(text in suspicious()) {
            let (mut out, mut spans) = (String::new(), Vec::new());
            mask(&text, &mut out, |span| spans.push(span));
            let mut back = String::new();
            let mut at = 0;
            for span in spans {
                back += &out[at..span.masked];
                back += &text[span.from..span.to];
                at = span.masked + span.len;
            }
            back += &out[at..];
            prop_assert_eq!(back, text);
        }
    }
}

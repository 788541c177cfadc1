//! The built-in masks in one pass over the bytes of a line.
//!
//! They are the ordered regular expressions that VMFT-LAD was published with, each replacing all of its matches before the
//! next one sees the line. Every one but CMD has the border `((?<=[^A-Za-z0-9])|^)` before and `((?=[^A-Za-z0-9])|$)` behind:
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
//! Because of the borders a match is made of whole words (maximal runs of ASCII letters and digits), so one pass over the
//! words finds all of them. What is left of the order is looked up: where an earlier mask takes the word that a later one
//! would go on with. Digits are those of ASCII; Python's `\d` also takes those of other scripts.

use super::candidates::{self, Candidate};

/// A stretch of the masked line that stands for one of the line itself; byte offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where the placeholder begins in the masked text.
    pub masked: usize,
    /// Its length.
    pub len: usize,
    /// Where what it stands for begins in the text before masking.
    pub from: usize,
    /// Where that ends.
    pub to: usize,
}

const ID: &str = "<:ID:>";
const IP: &str = "<:IP:>";
const SEQ: &str = "<:SEQ:>";
const HEX: &str = "<:HEX:>";
const NUM: &str = "<:NUM:>";
const CMD: &str = "<:CMD:>";
/// What a masked command follows.
const CMD_PREFIX: &[u8] = b"executed cmd ";

/// A letter or digit: what a border is not.
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

/// A maximal run of letters and digits; empty where there is none.
#[derive(Clone, Copy)]
struct Word {
    from: usize,
    to: usize,
    /// The classes that all of its bytes are in.
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

/// Writes `text` with all matches replaced to the end of `out`, and tells `replaced` of each. Gives whether a command was
/// among them, the only one that can have words in it.
#[inline]
pub(super) fn mask(text: &str, out: &mut String, mut replaced: impl FnMut(Span)) -> bool {
    let bytes = text.as_bytes();
    let mut commands = false;
    // What is before this offset has been written.
    let mut written = 0;
    // Where the last match of a mask before NUM ended: to NUM, a border.
    let mut fence = usize::MAX;
    candidates::each(bytes, |candidate| {
        let (placeholder, from, to) = match candidate {
            // A match may have taken it already.
            Candidate::Word(at) | Candidate::Quote(at) if at < written => return,
            Candidate::Word(at) => match matched(bytes, Word::at(bytes, at)) {
                None => return,
                Some((NUM, to)) => (NUM, signed(bytes, at, written, fence), to),
                Some((placeholder, to)) => {
                    fence = to;
                    (placeholder, at, to)
                }
            },
            Candidate::Quote(at) if bytes[..at].ends_with(CMD_PREFIX) => match quoted(bytes, at) {
                None => return,
                Some(to) => {
                    commands = true;
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
    commands
}

/// The mask that takes the match beginning with `word`, and where the match ends.
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
    if word.len() >= 4
        && let Some(to) = lower_seq(bytes, word.from).or_else(|| upper_seq(bytes, word.from))
    {
        return Some((SEQ, to));
    }
    word.is(DIGIT).then_some((NUM, word.to))
}

/// Whether `word` is `0x` and hexadecimal digits.
fn is_hex(word: &[u8]) -> bool {
    word.len() > 2 && word.starts_with(b"0x") && word[2..].iter().all(|&b| class(b) & ANY_HEX != 0)
}

/// Where the number that has its first digit at `at` begins: with its sign where a border is before that.
fn signed(bytes: &[u8], at: usize, written: usize, fence: usize) -> usize {
    if at == 0 || at == written || !matches!(bytes[at - 1], b'-' | b'+') {
        return at;
    }
    let sign = at - 1;
    let border = sign == 0 || sign == fence || class(bytes[sign - 1]) & WORD == 0;
    if border { sign } else { at }
}

/// The end of an ID that begins at `from`: four or more words of lower-case hexadecimal digits with colons between.
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

/// The end of an IP address that begins at `from`: four words of one to three digits with dots between.
fn ip(bytes: &[u8], from: usize) -> Option<usize> {
    let mut next = from;
    for part in 0..4 {
        let word = Word::at(bytes, next);
        if !word.is(DIGIT) || word.len() > 3 {
            return None;
        }
        if part == 3 {
            // The last number may be the first word of an ID, which comes before.
            return id(bytes, word.from).is_none().then_some(word.to);
        }
        if bytes.get(word.to) != Some(&b'.') {
            return None;
        }
        next = word.to + 1;
    }
    None
}

/// The end of a SEQ of lower-case hexadecimal digits that begins at `from`: words of six or more, single blanks between.
/// A long word may be taken for several, so that what counts is how many times six digits fit.
fn lower_seq(bytes: &[u8], from: usize) -> Option<usize> {
    seq(bytes, from, 3, |word| {
        let fits = word.len() >= 6 && word.is(LOWER_HEX) && id(bytes, word.from).is_none();
        fits.then_some(word.len() / 6)
    })
    .map(|to| {
        with_blank(bytes, to, |next| {
            id(bytes, next).or_else(|| ip(bytes, next)).is_some()
        })
    })
}

/// The end of a SEQ of upper-case hexadecimal digits that begins at `from`: fours of digits, single blanks between.
fn upper_seq(bytes: &[u8], from: usize) -> Option<usize> {
    seq(bytes, from, 4, |word| {
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

/// The end of the longest run of words from `from` on with single blanks between them, of which `groups` says how many
/// groups each is worth (`None`: the run ends before it); `None` where they are fewer than `least`.
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

/// A SEQ takes the blank behind it, too, where that has a border behind: the line's end, no letter or digit, or what is a
/// placeholder by then (`masked`).
fn with_blank(bytes: &[u8], to: usize, masked: impl Fn(usize) -> bool) -> usize {
    if bytes.get(to) != Some(&b' ') {
        return to;
    }
    match bytes.get(to + 1) {
        Some(&byte) if class(byte) & WORD != 0 && !masked(to + 1) => to,
        _ => to + 1,
    }
}

/// The end of the text in quotes that begins at `from`: at least one character, all on one line.
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
    use proptest::prelude::*;
    use std::sync::LazyLock;

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
    fn each_mask_takes_what_it_should() {
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
        fn every_placeholder_is_told_of_with_what_it_stands_for(text in suspicious()) {
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

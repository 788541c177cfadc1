//! Parts of a message that hold names which strangers choose: no phrase is looked for in them.

use smallvec::SmallVec;

use super::class::SourceClasses;
use super::scan::Scanner;
use super::syntax::{NameKind, NameRule};

/// Maximum number of opaque ranges of one message; the last one then extends to the end.
const RANGES_MAX: usize = 16;
/// A quoted text that is longer is one message within another, and not a name; without digits.
const QUOTE_MAX_BYTES: usize = 256;
/// Keys whose quoted value is what the program has to say.
const SAYING: [&[u8]; 7] = [
    b"msg", b"message", b"error", b"err", b"reason", b"cause", b"text",
];

/// Ranges of a text, as byte offsets.
#[derive(Debug, Default)]
pub(super) struct Opaque {
    ranges: SmallVec<[(u32, u32); RANGES_MAX]>,
    /// The same for names of processes, in which a phrase may begin.
    processes: SmallVec<[(u32, u32); RANGES_MAX]>,
    /// The same for quoted texts, in which a phrase counts that has the quote itself.
    quotes: SmallVec<[(u32, u32); RANGES_MAX]>,
}

/// The rules that find names.
#[derive(Debug)]
pub(super) struct Names {
    rules: Vec<NameRule>,
    /// Finds the text before a name, or the text after it where the name begins the message.
    scanner: Scanner,
    /// The rules of each pattern, and the punctuation before the pattern.
    by_pattern: Vec<Vec<(usize, String)>>,
}

impl Names {
    /// The rules, compiled.
    pub fn new(rules: Vec<NameRule>) -> Self {
        let mut patterns: Vec<(String, bool)> = Vec::new();
        let mut by_pattern: Vec<Vec<(usize, String)>> = Vec::new();
        for (index, rule) in rules.iter().enumerate() {
            let literal = match rule.before.is_empty() {
                true => &rule.after,
                false => &rule.before,
            };
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let at = literal.find(word).unwrap_or(0);
            let (prefix, pattern) = literal.split_at(at);
            let known = patterns.iter().position(|(known, _)| known == pattern);
            let at = known.unwrap_or_else(|| {
                patterns.push((pattern.to_owned(), true));
                by_pattern.push(Vec::new());
                patterns.len() - 1
            });
            by_pattern[at].push((index, prefix.to_owned()));
        }
        Self {
            rules,
            scanner: Scanner::new(&patterns),
            by_pattern,
        }
    }

    /// The names in `text`, which begins at `body`, of a source of these classes.
    pub fn find(&self, text: &[u8], body: usize, classes: SourceClasses) -> Opaque {
        let mut opaque = Opaque::default();
        self.scanner.scan(&text[body..], |pattern, start, end| {
            let (start, end) = (body + start, body + end);
            for (rule, prefix) in &self.by_pattern[pattern] {
                let rule = &self.rules[*rule];
                let before = &text[body..start];
                if !rule.classes.intersects(classes) || !ends_with(before, prefix.as_bytes()) {
                    continue;
                }
                let range = match rule.before.is_empty() {
                    true => Some((body, start - prefix.len())),
                    false => name_end(&text[end..], rule).map(|length| (end, end + length)),
                };
                if let Some((start, end)) = range
                    && start < end
                {
                    let ranges = match rule.kind {
                        NameKind::Text | NameKind::Word => &mut opaque.ranges,
                        NameKind::Process => &mut opaque.processes,
                    };
                    ranges.push((start as u32, end as u32));
                }
            }
            opaque.ranges.len() < RANGES_MAX && opaque.processes.len() < RANGES_MAX
        });
        opaque.add_quotes(text, body);
        opaque
    }
}

/// Length of the name at the beginning of `rest`; `None` if what the rule has after it does not follow.
fn name_end(rest: &[u8], rule: &NameRule) -> Option<usize> {
    let rest = match rule.kind {
        NameKind::Word => {
            let end = rest.iter().position(u8::is_ascii_whitespace);
            &rest[..end.unwrap_or(rest.len())]
        }
        NameKind::Text | NameKind::Process => rest,
    };
    match rule.after.is_empty() {
        true => Some(rest.len()),
        false => find(rest, rule.after.as_bytes()),
    }
}

impl Opaque {
    fn add_quotes(&mut self, text: &[u8], body: usize) {
        let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii();
        let mut at = body;
        while at < text.len() && self.quotes.len() < RANGES_MAX {
            let Some(found) = memchr::memchr3(b'\'', b'"', b'`', &text[at..]) else {
                return;
            };
            let open = at + found;
            at = open + 1;
            // An apostrophe within or after a word is no quote.
            if open > 0 && is_word(text[open - 1]) || saying(&text[..open]) {
                continue;
            }
            let quote = match text[open] {
                b'`' => b'\'',
                quote => quote,
            };
            let closes = |&at: &usize| {
                text[at] == quote && text.get(at + 1).is_none_or(|&next| !is_word(next))
            };
            // Numbers of any length count the same.
            let mut length = 0;
            let mut within = (open + 1..text.len()).take_while(|&at| {
                length += usize::from(!text[at].is_ascii_digit());
                length <= QUOTE_MAX_BYTES
            });
            if let Some(close) = within.find(closes) {
                self.quotes.push((open as u32 + 1, close as u32));
                at = close + 1;
            }
        }
    }

    /// Whether a match from `start` to `end` lies in the name of a process.
    #[inline]
    pub fn is_process(&self, start: u32, end: u32) -> bool {
        let within = |&(from, to): &(u32, u32)| start < to && from < end;
        self.processes.iter().any(within)
    }

    /// Whether a match from `start` to `end` lies in a name. `quoted`: the match begins with the quote itself.
    #[inline]
    pub fn hides(&self, start: u32, end: u32, quoted: bool) -> bool {
        let within = |&(from, to): &(u32, u32)| start < to && from < end;
        self.ranges.iter().any(within) || (!quoted && self.quotes.iter().any(within))
    }
}

/// Whether a key such as `msg=` or `"msg":` stands at the end of `before`, or the head of klog ("E1123 10:00:00.123456 1 file.go:12] ").
fn saying(before: &[u8]) -> bool {
    if let [b'F' | b'E' | b'W' | b'I', digits @ .., b']', b' '] = before
        && digits.len() > 4
        && digits[..4].iter().all(u8::is_ascii_digit)
        && !digits.contains(&b'"')
    {
        return true;
    }
    let before = before.strip_suffix(b" ").unwrap_or(before);
    let Some(before) = before
        .strip_suffix(b"=")
        .or_else(|| before.strip_suffix(b":"))
    else {
        return false;
    };
    let before = before.strip_suffix(b"\"").unwrap_or(before);
    SAYING.iter().any(|key| {
        ends_with(before, key)
            && !before[..before.len() - key.len()]
                .last()
                .is_some_and(u8::is_ascii_alphanumeric)
    })
}

fn ends_with(text: &[u8], end: &[u8]) -> bool {
    text.len() >= end.len() && text[text.len() - end.len()..].eq_ignore_ascii_case(end)
}

/// Where `what`, in lower case, is in `text`.
fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = what[0];
    let (small, large) = (first, first.to_ascii_uppercase());
    memchr::memchr2_iter(small, large, text).find(|&at| {
        text.len() - at >= what.len() && text[at..at + what.len()].eq_ignore_ascii_case(what)
    })
}

#[cfg(test)]
mod tests {
    use super::super::class::SourceClass;
    use super::super::syntax;
    use super::*;

    const RULES: &str = "[names]\ncomm=\"<name>\"\nComm: <name> Tainted\nProduct: <name>\n<name> invoked oom-killer\n\
                         id=<word>\n<process>]: segfault\n[from vmm]\nguest <name>:\n";

    /// `text` with a dot for every byte that lies in a name.
    fn shown(text: &str, classes: SourceClasses) -> String {
        let names = Names::new(syntax::parse(RULES).unwrap().names);
        let opaque = names.find(text.as_bytes(), 0, classes);
        let at = |at: usize| opaque.hides(at as u32, at as u32 + 1, false);
        text.char_indices()
            .map(|(i, c)| if at(i) { '.' } else { c })
            .collect()
    }

    #[test]
    fn names_end_where_their_rule_says() {
        let shown = |text| shown(text, SourceClass::Kernel.into());
        assert_eq!(shown("a comm=\"b c\" d"), "a comm=\"...\" d");
        assert_eq!(shown("COMM: b c Tainted: d"), "COMM: ... Tainted: d");
        assert_eq!(shown("usb 1-1: Product: b c"), "usb 1-1: Product: ...");
        assert_eq!(
            shown("b c invoked oom-killer: d"),
            "... invoked oom-killer: d"
        );
        assert_eq!(shown("guest b: c"), "guest b: c");
        assert_eq!(shown("id=b7 c"), "id=.. c");
        assert_eq!(shown("Comm: b c"), "Comm: b c", "what follows is not there");
    }

    #[test]
    fn the_name_of_a_process_is_told_apart() {
        let names = Names::new(syntax::parse(RULES).unwrap().names);
        let opaque = names.find(b"b c[7]: segfault at 0", 0, SourceClass::Kernel.into());
        assert!(opaque.is_process(0, 1) && !opaque.hides(0, 1, false));
        assert!(!opaque.is_process(8, 16));
    }

    #[test]
    fn a_rule_holds_for_its_classes() {
        assert_eq!(
            shown("guest b c: d", SourceClass::Vmm.into()),
            "guest ...: d"
        );
    }

    #[test]
    fn quoted_texts_are_names_and_apostrophes_are_none() {
        let shown = |text| shown(text, SourceClass::Vmm.into());
        assert_eq!(shown("domain 'b c' failed"), "domain '...' failed");
        assert_eq!(shown("can't 'b' and didn't"), "can't '.' and didn't");
        for said in [
            "level=error msg=\"b c\"",
            "{\"level\":\"error\",\"msg\":\"b c\"}",
            "E1123 10:00:00.123456    1 file.go:12] \"b c\" pod=x",
        ] {
            assert_eq!(shown(said).matches("b c").count(), 1, "{said}");
        }
        assert_eq!(
            shown("E1123 10 a.go:1] \"b\" pod=\"c d\""),
            "E1123 10 a.go:1] \"b\" pod=\"...\""
        );
        assert_eq!(shown("name=\"b c\" x"), "name=\"...\" x");
        assert_eq!(shown("an open 'quote is text"), "an open 'quote is text");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_searched(text in "(comm=\"|Product: | invoked oom-killer|'|`|\"|[a-z é]){0,60}") {
            shown(&text, SourceClasses::ALL);
        }
    }
}

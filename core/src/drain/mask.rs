//! Masks: replace the values in a line by named placeholders before the line is parsed.
//!
//! Custom masks come first, in their order, so that they see the line as it was written; then the built-in ones.

use regex::Regex;

use super::builtin::{self, Span};
use super::options::{BuiltinMasks, DrainOptions};
use crate::options::OptionError;

/// Maximum length of a mask's name. Together with the letters allowed in it, this keeps every built-in mask from matching within
/// a placeholder.
const MAX_NAME_BYTES: usize = 15;
/// Maximum memory of a compiled regular expression.
const REGEX_BYTES: usize = 1 << 20;

/// What the placeholders of a masked line stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Values {
    /// There are none: the masked line is the line.
    #[default]
    None,
    /// Decimal numbers of at most [`builtin::DIGITS_MAX`] digits without a sign, and IP addresses.
    Numbers,
    /// Others, which may even hold words.
    Others,
}

/// A custom mask.
#[derive(Debug, Clone)]
struct Custom {
    placeholder: String,
    regex: Regex,
}

/// All masks, in order.
#[derive(Debug, Clone)]
pub(super) struct Masks {
    custom: Vec<Custom>,
    builtin: bool,
}

impl Masks {
    /// # Errors
    /// A mask without a name, or a regular expression that is invalid or matches the empty string.
    pub fn new(options: &DrainOptions) -> Result<Self, OptionError> {
        let custom = options
            .masks
            .split('\n')
            .flat_map(|line| line.split(" ; "))
            .map(str::trim)
            .filter(|mask| !mask.is_empty())
            .map(custom)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            custom,
            builtin: options.builtin_masks == BuiltinMasks::Published,
        })
    }

    /// Writes the masked `line` to `out`, using `spare` as a second buffer. Returns what the placeholders stand for.
    #[inline]
    pub fn apply(&self, line: &str, out: &mut String, spare: &mut String) -> Values {
        out.clear();
        if self.custom.is_empty() {
            if self.builtin {
                return builtin::mask(line, out, |_| {});
            }
            out.push_str(line);
            return Values::None;
        }
        out.push_str(line);
        let mut values = Values::None;
        for custom in &self.custom {
            spare.clear();
            custom.mask(out, spare, |_| values = Values::Others);
            std::mem::swap(out, spare);
        }
        if self.builtin {
            spare.clear();
            let others = builtin::mask(out, spare, |_| {});
            if values == Values::None {
                values = others;
            }
            std::mem::swap(out, spare);
        }
        values
    }

    /// The masked `line`, and the parts of the line that its placeholders replace, in order.
    pub fn spans(&self, line: &str) -> (String, Vec<Span>) {
        let (mut text, mut spans) = (line.to_owned(), Vec::new());
        for custom in &self.custom {
            step(&mut text, &mut spans, |text, out, replaced| {
                custom.mask(text, out, replaced);
            });
        }
        if self.builtin {
            step(&mut text, &mut spans, |text, out, replaced| {
                builtin::mask(text, out, replaced);
            });
        }
        (text, spans)
    }
}

impl Custom {
    fn mask(&self, text: &str, out: &mut String, mut replaced: impl FnMut(Span)) {
        let mut written = 0;
        for found in self.regex.find_iter(text) {
            // One that matches the empty string only in some places, such as \b, replaces nothing there.
            if found.is_empty() {
                continue;
            }
            out.push_str(&text[written..found.start()]);
            replaced(Span {
                masked: out.len(),
                len: self.placeholder.len(),
                from: found.start(),
                to: found.end(),
            });
            out.push_str(&self.placeholder);
            written = found.end();
        }
        out.push_str(&text[written..]);
    }
}

/// Applies one more mask to `text`, and adjusts `spans`, which refer to the original line.
fn step(
    text: &mut String,
    spans: &mut Vec<Span>,
    mask: impl FnOnce(&str, &mut String, &mut dyn FnMut(Span)),
) {
    let (mut out, mut new) = (String::new(), Vec::new());
    mask(text, &mut out, &mut |span| new.push(span));
    let mut merged = Vec::with_capacity(spans.len() + new.len());
    let mut old = spans.iter().copied().peekable();
    // The end of the last replacement, before and after it.
    let (mut text_at, mut out_at) = (0, 0);
    let moved = |old: Span, text_at: usize, out_at: usize| Span {
        masked: old.masked - text_at + out_at,
        ..old
    };
    for span in new {
        while let Some(before) = old.next_if(|o| o.masked + o.len <= span.from) {
            merged.push(moved(before, text_at, out_at));
        }
        let from = origin(spans, span.from, false);
        let to = origin(spans, span.to, true);
        while old.next_if(|o| o.masked < span.to).is_some() {}
        merged.push(Span { from, to, ..span });
        (text_at, out_at) = (span.to, span.masked + span.len);
    }
    merged.extend(old.map(|o| moved(o, text_at, out_at)));
    (*text, *spans) = (out, merged);
}

/// The offset in the original line of the offset `at` in the masked text; within a placeholder, the start or end of what that
/// replaces.
pub(super) fn origin(spans: &[Span], at: usize, end: bool) -> usize {
    let before = spans.partition_point(|s| s.masked + s.len <= at);
    let base = before
        .checked_sub(1)
        .map_or(at, |i| at - (spans[i].masked + spans[i].len) + spans[i].to);
    match spans.get(before) {
        Some(within) if within.masked < at => {
            if end {
                within.to
            } else {
                within.from
            }
        }
        _ => base,
    }
}

/// Parses a custom mask, `NAME=REGEX`.
fn custom(text: &str) -> Result<Custom, OptionError> {
    let refused = |reason: &str| OptionError::Conflict {
        name: "masks",
        message: format!("\"{text}\": {reason}"),
    };
    let (name, pattern) = text
        .split_once('=')
        .ok_or_else(|| refused("expected NAME=REGEX"))?;
    let name = name.trim();
    if name.is_empty()
        || name.len() > MAX_NAME_BYTES
        || !name.bytes().all(|b| b.is_ascii_alphabetic())
    {
        return Err(refused(&format!(
            "a name has 1 to {MAX_NAME_BYTES} letters"
        )));
    }
    let regex = regex::RegexBuilder::new(pattern.trim())
        .size_limit(REGEX_BYTES)
        .build()
        .map_err(|e| refused(&e.to_string()))?;
    if regex.is_match("") {
        return Err(refused("it matches the empty string"));
    }
    Ok(Custom {
        placeholder: format!("<:{name}:>"),
        regex,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(custom: &str, builtin: &str) -> Masks {
        let mut options = DrainOptions::default();
        options.set("masks", custom).unwrap();
        options.set("builtin_masks", builtin).unwrap();
        Masks::new(&options).unwrap()
    }

    fn applied(masks: &Masks, line: &str) -> String {
        let (mut out, mut spare) = (String::new(), String::new());
        masks.apply(line, &mut out, &mut spare);
        out
    }

    #[test]
    fn custom_masks_come_first_and_in_order() {
        let masks = masks(r"VM=vm-\d+ ; DISK=\bsd[a-z]\d*", "published");
        assert_eq!(
            applied(&masks, "vm-17 on sda1, port 5"),
            "<:VM:> on <:DISK:>, port <:NUM:>"
        );
    }

    #[test]
    fn line_ends_separate_masks_too_and_without_the_builtin_ones_numbers_stay() {
        let masks = masks("A=a+\nB=b+", "none");
        assert_eq!(applied(&masks, "aab 5"), "<:A:><:B:> 5");
    }

    #[test]
    fn every_placeholder_maps_back_to_the_line_through_all_masks() {
        let masks = masks(r"VM=vm-\d+ ; PAIR=<:VM:>/\w+", "published");
        let line = "from vm-17 to vm-2/eth0 at 5 and 6";
        let (text, spans) = masks.spans(line);
        assert_eq!(text, "from <:VM:> to <:PAIR:> at <:NUM:> and <:NUM:>");
        let of: Vec<_> = spans
            .iter()
            .map(|s| (&text[s.masked..s.masked + s.len], &line[s.from..s.to]))
            .collect();
        assert_eq!(
            of,
            [
                ("<:VM:>", "vm-17"),
                ("<:PAIR:>", "vm-2/eth0"),
                ("<:NUM:>", "5"),
                ("<:NUM:>", "6")
            ]
        );
        assert_eq!(applied(&masks, line), text);
    }
}

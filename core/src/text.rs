//! Texts for people: shortened and cleaned texts, lists of names, and durations in words.

use std::borrow::Cow;

/// `text` without what misleads its reader or whoever takes it apart: control characters and separators of lines become spaces;
/// characters without a width, and those that turn the direction of what follows, are left out.
///
/// ```
/// use bellwether_core::text::clean;
///
/// assert_eq!(clean("vm1\nHost: hv2"), "vm1 Host: hv2");
/// assert_eq!(clean("\u{202e}1mv"), "1mv");
/// ```
pub fn clean(text: &str) -> Cow<'_, str> {
    // Nearly all texts are printable ASCII; without an early end, many bytes are looked at together.
    let is_plain = |plain, byte| plain & (b' '..0x7f).contains(&byte);
    if text.bytes().fold(true, is_plain) || text.chars().all(|c| cleaned(c) == Some(c)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter_map(cleaned).collect())
}

/// What stands in the place of a character.
fn cleaned(c: char) -> Option<char> {
    match c {
        c if c.is_control() => Some(' '),
        '\u{2028}' | '\u{2029}' => Some(' '),
        // Soft hyphen, Arabic letter mark, Mongolian vowel separator, zero-width characters and marks of direction, embeddings and
        // overrides, isolates and other invisible ones, byte order mark, annotations, tags.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => None,
        c => Some(c),
    }
}

/// A name as one of a list that is separated by commas: cleaned, and in double quotes where it has a comma or such a quote, which is
/// then there twice.
pub(crate) fn list_item(name: &str) -> Cow<'_, str> {
    let name = clean(name);
    match name.is_empty() || name.contains([',', '"']) || name.trim() != name {
        true => Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))),
        false => name,
    }
}

/// The names of a list such as an event's `changed_vms`.
///
/// ```
/// use bellwether_core::text::split_list;
///
/// assert_eq!(split_list("vm1,\"a, \"\"b\"\"\",vm2"), ["vm1", "a, \"b\"", "vm2"]);
/// ```
pub fn split_list(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let mut name = String::new();
        if let Some(mut quoted) = rest.strip_prefix('"') {
            while let Some((part, behind)) = quoted.split_once('"') {
                name += part;
                quoted = behind;
                match quoted.strip_prefix('"') {
                    Some(behind) => (name, quoted) = (name + "\"", behind),
                    None => break,
                }
            }
            rest = quoted.strip_prefix(',').unwrap_or(quoted);
        } else {
            let (plain, behind) = rest.split_once(',').unwrap_or((rest, ""));
            name += plain;
            rest = behind;
        }
        names.push(name);
    }
    names
}

/// `text` [cleaned](clean) and shortened to at most `max` bytes (at least three) at a character boundary.
pub fn shortened(text: &str, max: usize) -> String {
    // A control character of two bytes becomes a space of one: cleaning never makes a text longer.
    if text.len() <= max {
        return clean(text).into_owned();
    }
    let mut end = max - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = clean(&text[..end]).into_owned();
    short.push('…');
    short
}

/// `seconds` in its two largest units, such as "2 h 1 min".
///
/// ```
/// use bellwether_core::text::duration;
///
/// assert_eq!(duration(75.0), "1 min 15 s");
/// ```
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 if seconds < 10.0 && seconds.fract() != 0.0 => format!("{seconds:.1} s"),
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
    .replace(" 0 s", "")
    .replace(" 0 min", "")
    .replace(" 0 h", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shortened_and_cleaned_text_stays_within_its_limit() {
        for max in 3..20 {
            let text = shortened("a\u{85}ü€\t😀 and so on for long", max);
            assert!(text.len() <= max && text.ends_with('…'), "{max}: {text}");
        }
        assert_eq!(shortened("a\u{85}b", 4), "a b");
    }

    #[test]
    fn what_is_invisible_or_turns_the_direction_is_left_out() {
        let misleading =
            "\u{202e}a\u{2066}b\u{200f}\u{feff}c\u{61c}\u{200b}\u{2028}d\u{e0041}\u{9b}";
        assert_eq!(clean(misleading), "abc d ");
        assert!(matches!(clean("Müller-vm ok 機"), Cow::Borrowed(_)));
        assert_eq!(shortened(misleading, 64), "abc d ");
    }

    proptest! {
        #[test]
        fn names_of_a_list_are_told_apart_whatever_they_are(
            names in prop::collection::vec("([a-c]|,|\"| |\n|\u{202e}|ü){0,6}", 0..6),
        ) {
            let items: Vec<_> = names.iter().map(|name| list_item(name)).collect();
            let list = items.join(",");
            let cleaned: Vec<_> = names.iter().map(|name| clean(name).into_owned()).collect();
            prop_assert_eq!(split_list(&list), cleaned);
            prop_assert_eq!(clean(&list), &*list);
        }

        #[test]
        fn any_list_is_taken_apart_within_its_length(list in "([a-c]|,|\"| ){0,20}") {
            let names = split_list(&list);
            prop_assert!(names.iter().map(String::len).sum::<usize>() <= list.len());
        }
    }

    #[test]
    fn durations_are_given_in_their_two_largest_units() {
        assert_eq!(duration(0.5), "0.5 s");
        assert_eq!(duration(59.0), "59 s");
        assert_eq!(duration(60.0), "1 min");
        assert_eq!(duration(7260.0), "2 h 1 min");
        assert_eq!(duration(90_000.0), "1 d 1 h");
    }
}

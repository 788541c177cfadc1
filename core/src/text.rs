//! Texts for people: shortened and cleaned texts, and durations in words.

/// `text` shortened to at most `max` bytes (at least three) at a character boundary, with control characters replaced by spaces.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let clean = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    };
    // A control character of two bytes becomes a space of one: cleaning never makes a text longer.
    if text.len() <= max {
        return clean(text);
    }
    let mut end = max - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = clean(&text[..end]);
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

    #[test]
    fn a_shortened_and_cleaned_text_stays_within_its_limit() {
        for max in 3..20 {
            let text = shortened("a\u{85}ü€\t😀 and so on for long", max);
            assert!(text.len() <= max && text.ends_with('…'), "{max}: {text}");
        }
        assert_eq!(shortened("a\u{85}b", 4), "a b");
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

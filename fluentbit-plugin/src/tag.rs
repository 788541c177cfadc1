//! Patterns of tags, as the option `match` of Fluent Bit has them.

/// A pattern in which `*` stands for any text, also for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<[u8]>);

impl Pattern {
    /// The pattern that `text` is.
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().into())
    }

    /// Whether all of `tag` fits. Takes at most as many steps as both have bytes, multiplied.
    pub fn matches(&self, tag: &[u8]) -> bool {
        let (mut pattern, mut rest) = (&*self.0, tag);
        // Behind the last `*`, and what was left of the tag there: only that one may have to stand for more.
        let mut last = None;
        loop {
            match (pattern, rest) {
                ([b'*', behind @ ..], _) => {
                    pattern = behind;
                    last = Some((behind, rest));
                }
                ([wanted, behind @ ..], [byte, others @ ..]) if wanted == byte => {
                    (pattern, rest) = (behind, others);
                }
                ([], []) => return true,
                _ => match last {
                    Some((behind, [_, others @ ..])) => {
                        (pattern, rest) = (behind, others);
                        last = Some((behind, others));
                    }
                    _ => return false,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_everything_else_for_itself() {
        for (pattern, fits, others) in [
            ("a.b", &["a.b"][..], &["a.bc", "xa.b", "a.B", "a", ""][..]),
            ("*", &["", "a"], &[]),
            (
                "feedback.*",
                &["feedback.", "feedback.a.b"],
                &["feedback", "xfeedback.a"],
            ),
            (
                "*.feedback",
                &[".feedback", "a.feedback", "a.feedback.feedback"],
                &["a.feedback.b"],
            ),
            (
                "a*b*c",
                &["abc", "aXbYc", "abbcc", "abcbc"],
                &["acb", "abcd", "ab"],
            ),
            ("**a", &["a", "ba", "aa"], &["ab"]),
            ("", &[""], &["a"]),
            ("a?", &["a?"], &["ab"]),
        ] {
            let pattern = Pattern::new(pattern);
            for tag in fits {
                assert!(pattern.matches(tag.as_bytes()), "{pattern:?} {tag}");
            }
            for tag in others {
                assert!(!pattern.matches(tag.as_bytes()), "{pattern:?} {tag}");
            }
        }
        // No more than a product of the lengths.
        let long = Pattern::new(&format!("{}b", "*a".repeat(200)));
        assert!(!long.matches(&b"a".repeat(20_000)));
    }
}

//! Parser of lexicon files.

use super::family::Family;

/// Maximum length of a phrase in bytes.
const PHRASE_MAX_BYTES: usize = 200;
/// Minimum length of a part of a phrase in bytes.
const PART_MIN_BYTES: usize = 2;
/// Maximum number of parts of a phrase.
const PARTS_MAX: usize = 4;
/// Between two parts of a phrase, stands for any text.
const GAP: &str = " * ";

/// Why a lexicon file was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("lexicon line {line}: {what}")]
pub struct LexiconError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub what: String,
}

/// The role of a phrase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// A sign of failure by itself.
    Phrase(Family),
    /// A word of failure, weak by itself.
    Word,
    /// What a word of failure may refer to.
    Thing(Family),
    /// Benign context: outweighs other phrases of the message up to its weight.
    Benign,
    /// Hides matches within it.
    Hidden,
}

impl Role {
    /// The family of a phrase with this role.
    pub fn family(self) -> Family {
        match self {
            Role::Phrase(family) | Role::Thing(family) => family,
            Role::Word | Role::Benign | Role::Hidden => Family::Service,
        }
    }
}

/// One phrase of a lexicon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub role: Role,
    /// From 0 to 1; 0 removes an earlier entry of the same phrase. 1 if the role has no weight.
    pub weight: f32,
    /// As written.
    pub phrase: String,
}

/// One part of a phrase: literal text, and how it connects to its neighbors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub text: &'a str,
    /// Its last word may continue.
    pub open: bool,
    /// It directly follows the (possibly continued) last word of the preceding part.
    pub glued: bool,
}

/// The parts of `phrase`, in order.
pub(super) fn parts(phrase: &str) -> impl Iterator<Item = Part<'_>> {
    phrase.split(GAP).flat_map(|stretch| {
        let open = stretch.ends_with('*');
        let stretch = stretch.strip_suffix('*').unwrap_or(stretch);
        let last = stretch.matches('*').count();
        stretch.split('*').enumerate().map(move |(at, text)| Part {
            text,
            open: at < last || open,
            glued: at > 0,
        })
    })
}

/// The entries of the file `text`, in its order.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, LexiconError> {
    let mut entries = Vec::new();
    let mut section = None;
    for (index, line) in text.lines().enumerate() {
        let fail = |what: String| LexiconError {
            line: index + 1,
            what,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // A phrase may begin with a bracket only after a weight, or in the section without weights, where a known name makes the
        // line a section head.
        if let Some(head) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            match role(head) {
                Some(role) => {
                    section = Some(role);
                    continue;
                }
                None if section == Some(Role::Hidden) => {}
                None => {
                    return Err(fail(format!(
                        "unknown section \"{head}\"; the sections are {}, words, things FAMILY, benign, hidden",
                        Family::ALL.map(Family::as_str).join(", ")
                    )));
                }
            }
        }
        let Some(role) = section else {
            return Err(fail(
                "a phrase before the first section, such as [storage]".into(),
            ));
        };
        let (weight, phrase) = match role {
            Role::Hidden => (1.0, line),
            _ => {
                let (weight, phrase) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
                let weight = weight
                    .parse()
                    .ok()
                    .filter(|w: &f32| (0.0..=1.0).contains(w))
                    .ok_or_else(|| {
                        fail(format!(
                            "\"{weight}\" is not a weight from 0 to 1; write WEIGHT PHRASE"
                        ))
                    })?;
                (weight, phrase.trim())
            }
        };
        check(phrase).map_err(fail)?;
        entries.push(Entry {
            role,
            weight,
            phrase: phrase.to_owned(),
        });
    }
    Ok(entries)
}

/// The role of the phrases in the section `head`.
fn role(head: &str) -> Option<Role> {
    match head {
        "words" => Some(Role::Word),
        "benign" => Some(Role::Benign),
        "hidden" => Some(Role::Hidden),
        _ => match head.strip_prefix("things ") {
            Some(family) => Family::from_name(family.trim()).map(Role::Thing),
            None => Family::from_name(head).map(Role::Phrase),
        },
    }
}

/// Checks that `phrase` can be searched for.
fn check(phrase: &str) -> Result<(), String> {
    if phrase.is_empty() {
        return Err("the phrase after the weight is missing".into());
    }
    if phrase.len() > PHRASE_MAX_BYTES {
        return Err(format!(
            "the phrase has {} bytes, more than {PHRASE_MAX_BYTES}",
            phrase.len()
        ));
    }
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut count = 0;
    for part in parts(phrase) {
        count += 1;
        let text = part.text;
        // An underscore also matches a space, which is no word character.
        let trimmed = text.trim_start_matches(|c| !in_word(c) || c == '_');
        if trimmed.len() < PART_MIN_BYTES || !text.contains(char::is_alphanumeric) {
            return Err(format!(
                "\"{text}\" is too short; each part between stars needs a letter or digit and, after leading punctuation, at least {PART_MIN_BYTES} characters"
            ));
        }
        if part.open && !text.ends_with(in_word) || part.glued && text.starts_with(in_word) {
            return Err("a star must end a word, or stand between two spaces as a gap".into());
        }
    }
    if count > PARTS_MAX {
        return Err(format!(
            "the phrase has {count} parts, more than {PARTS_MAX}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> LexiconError {
        parse(text).unwrap_err()
    }

    #[test]
    fn a_section_gives_its_phrases_their_role() {
        let file = "# a site's own\n[storage]\n0.9  disk on fire\n\n[words]\n0.2 broken\n[things hardware]\n.1 toaster\n\
                    [benign]\n1 fire drill\n[hidden]\nfire=off\n[not a section]\n";
        let roles: Vec<(Role, f32, String)> = parse(file)
            .unwrap()
            .into_iter()
            .map(|e| (e.role, e.weight, e.phrase))
            .collect();
        assert_eq!(
            roles,
            [
                (Role::Phrase(Family::Storage), 0.9, "disk on fire".into()),
                (Role::Word, 0.2, "broken".into()),
                (Role::Thing(Family::Hardware), 0.1, "toaster".into()),
                (Role::Benign, 1.0, "fire drill".into()),
                (Role::Hidden, 1.0, "fire=off".into()),
                (Role::Hidden, 1.0, "[not a section]".into()),
            ]
        );
    }

    #[test]
    fn an_error_names_the_line_and_what_would_be_right() {
        let unknown = error("\n[weather]\n");
        assert_eq!(unknown.line, 2);
        assert!(unknown.what.contains("weather") && unknown.what.contains("cpu_pressure"));
        let no_section = error("0.5 snow");
        assert_eq!(no_section.line, 1);
        assert!(no_section.what.contains("[storage]"));
        for weight in ["-0.1", "1.1", "NaN", "much", "disk"] {
            let text = format!("[storage]\n0.5 disk\n{weight} on fire\n");
            assert_eq!(error(&text).line, 3, "{weight}");
            assert!(error(&text).to_string().starts_with("lexicon line 3"));
        }
    }

    #[test]
    fn a_phrase_needs_enough_text_to_search_for() {
        for phrase in [
            "",
            "*",
            "--",
            "disk * ",
            "* disk *",
            "ab * ! * bc",
            "_a",
            "ab * -_c",
            "aa * bb * cc * dd * ee",
        ] {
            assert_eq!(
                error(&format!("[storage]\n0.5 {phrase}")).line,
                2,
                "{phrase}"
            );
        }
        assert_eq!(
            error(&format!("[storage]\n0.5 {}", "x".repeat(201))).line,
            2
        );
    }

    #[test]
    fn stars_split_a_phrase_and_let_its_words_continue() {
        let cut = |phrase| -> Vec<(String, bool, bool)> {
            parts(phrase)
                .map(|p| (p.text.to_owned(), p.open, p.glued))
                .collect()
        };
        assert_eq!(
            cut("nvme* * is down"),
            [
                ("nvme".into(), true, false),
                ("is down".into(), false, false)
            ]
        );
        assert_eq!(cut("corrupt*"), [("corrupt".into(), true, false)]);
        assert_eq!(
            cut("EXT*-fs error"),
            [
                ("EXT".into(), true, false),
                ("-fs error".into(), false, true)
            ]
        );
    }
}

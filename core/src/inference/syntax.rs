//! The form of a lexicon file: what its head says, read and checked.

use super::Family;

/// Longest phrase, bytes.
const PHRASE_MAX_BYTES: usize = 200;
/// Shortest part that a phrase is cut into, bytes.
const PART_MIN_BYTES: usize = 2;
/// Most parts that a phrase is cut into by gaps.
const PARTS_MAX: usize = 4;
/// Stands between two parts of a phrase for any text at all.
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

/// What a phrase is there for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// A sign of failure by itself.
    Phrase(Family),
    /// A word of failure, which says little by itself.
    Word,
    /// What a word of failure may be said of.
    Thing(Family),
    /// Explains away what is found beside it, up to its weight.
    Benign,
    /// Hides what is found within it.
    Hidden,
}

impl Role {
    /// The family that a phrase of this role is of.
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
    /// From 0 to 1; 0 takes an earlier entry of the same phrase away. 1 where the role has no weight.
    pub weight: f32,
    /// As written.
    pub phrase: String,
}

/// One part of a phrase: literal text, and how it hangs together with what is around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub text: &'a str,
    /// Its last word may go on.
    pub open: bool,
    /// It follows right behind the word that the part before it ends with, however that goes on.
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
        // A phrase may begin with a bracket, but only behind a weight or in a section without weights, where a
        // section's head is told by its being known.
        if let Some(head) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            match role(head) {
                Some(role) => {
                    section = Some(role);
                    continue;
                }
                None if section == Some(Role::Hidden) => {}
                None => {
                    return Err(fail(format!(
                        "there is no section \"{head}\"; the sections are {}, words, things FAMILY, benign, hidden",
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
                            "\"{weight}\" is no weight from 0 to 1; write WEIGHT PHRASE"
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

/// Whether `phrase` can be looked for.
fn check(phrase: &str) -> Result<(), String> {
    if phrase.is_empty() {
        return Err("there is no phrase behind the weight".into());
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
        // An underscore finds a blank too, which is a sign.
        let behind_signs = text.trim_start_matches(|c| !in_word(c) || c == '_');
        if behind_signs.len() < PART_MIN_BYTES || !text.contains(char::is_alphanumeric) {
            return Err(format!(
                "\"{text}\" is too little to look for; what stars part has {PART_MIN_BYTES} characters or more behind its first signs, one a letter or a digit"
            ));
        }
        if part.open && !text.ends_with(in_word) || part.glued && text.starts_with(in_word) {
            return Err(
                "a star stands at the end of a word, or between two blanks as a gap".into(),
            );
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
        let homeless = error("0.5 snow");
        assert_eq!(homeless.line, 1);
        assert!(homeless.what.contains("[storage]"));
        for weight in ["-0.1", "1.1", "NaN", "much", "disk"] {
            let text = format!("[storage]\n0.5 disk\n{weight} on fire\n");
            assert_eq!(error(&text).line, 3, "{weight}");
            assert!(error(&text).to_string().starts_with("lexicon line 3"));
        }
    }

    #[test]
    fn a_phrase_needs_something_to_look_for() {
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
    fn stars_cut_a_phrase_and_open_its_words() {
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

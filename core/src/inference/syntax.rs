//! Parser of lexicon files.

use super::class::{SourceClass, SourceClasses};
use super::family::Family;
use super::words::in_word;

/// Maximum length of a phrase in bytes.
const PHRASE_MAX_BYTES: usize = 200;
/// Minimum length of a part of a phrase in bytes, without punctuation before it.
const PART_MIN_BYTES: usize = 2;
/// Maximum number of parts of a phrase.
pub(super) const PARTS_MAX: usize = 10;
/// Between two parts of a phrase, stands for any text.
const GAP: &str = " * ";
/// What stands for a name in a rule of the section `names`.
const NAMES: [(&str, NameKind); 3] = [
    ("<name>", NameKind::Text),
    ("<word>", NameKind::Word),
    ("<process>", NameKind::Process),
];

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
    /// What programs report of themselves every day: outweighs words of failure up to its weight, but no phrase.
    Routine,
    /// Benign context of a whole report: outweighs phrases of the same source around it.
    Report,
    /// Hides matches within it.
    Hidden,
}

impl Role {
    /// The family of a phrase with this role.
    pub fn family(self) -> Family {
        match self {
            Role::Phrase(family) | Role::Thing(family) => family,
            Role::Word | Role::Benign | Role::Routine | Role::Report | Role::Hidden => {
                Family::Service
            }
        }
    }

    /// Whether other words may stand between its own, and inflected forms count.
    pub fn is_loose(self) -> bool {
        matches!(self, Role::Phrase(_) | Role::Report)
    }
}

/// One phrase of a lexicon.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub role: Role,
    /// From 0 to 1; 0 removes earlier entries of the same phrase. 1 if the role has no weight.
    pub weight: f32,
    /// Later lines of the same report may explain it.
    pub tentative: bool,
    /// The sources from which it counts.
    pub classes: SourceClasses,
    /// As written.
    pub phrase: String,
    /// Its parts, in order.
    pub parts: Vec<Part>,
}

/// Which class a program or container belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// In lower case, without its stars.
    pub name: String,
    /// Text may stand before the name.
    pub open_start: bool,
    /// The name may continue.
    pub open_end: bool,
    pub container: bool,
    pub class: SourceClass,
}

/// What a name consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    /// Any text.
    Text,
    /// Text without blanks.
    Word,
    /// Any text; a phrase may begin in it and go on outside.
    Process,
}

/// Where names stand that strangers choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameRule {
    pub kind: NameKind,
    pub classes: SourceClasses,
    /// The text before the name; empty if the name begins the message.
    pub before: String,
    /// The text after it; empty if the name ends with the message.
    pub after: String,
}

/// The content of a lexicon file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct File {
    pub entries: Vec<Entry>,
    pub programs: Vec<Program>,
    pub names: Vec<NameRule>,
    /// Groups of words that stand for each other, in lower case.
    pub alike: Vec<Vec<String>>,
}

impl File {
    /// Adds the content of another file.
    pub fn append(&mut self, other: File) {
        self.entries.extend(other.entries);
        self.programs.extend(other.programs);
        self.names.extend(other.names);
        self.alike.extend(other.alike);
    }
}

/// One part of a phrase: literal text, and how it connects to its neighbors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// In lower case.
    pub text: String,
    /// Its last word may continue.
    pub open: bool,
    /// What may stand between the preceding part and this one.
    pub gap: Gap,
}

/// What may stand between two parts of a phrase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The rest of a word.
    Glued,
    /// A few words.
    Small,
    /// Part of a sentence.
    Wide,
}

/// The parts of a phrase with this role, in order.
fn parts(phrase: &str, role: Role) -> Vec<Part> {
    let mut parts = Vec::new();
    for stretch in phrase.split(GAP) {
        let words = if role.is_loose() {
            loose_words(stretch)
        } else {
            vec![stretch.to_owned()]
        };
        for (index, word) in words.iter().enumerate() {
            let open = word.ends_with('*');
            let word = word.strip_suffix('*').unwrap_or(word);
            let last = word.matches('*').count();
            for (at, text) in word.split('*').enumerate() {
                parts.push(Part {
                    text: text.to_ascii_lowercase(),
                    open: at < last || open,
                    gap: match (at, index) {
                        (1.., _) => Gap::Glued,
                        (0, 0) => Gap::Wide,
                        (0, _) => Gap::Small,
                    },
                });
            }
        }
    }
    parts
}

/// The words of a stretch without the punctuation around them. A word that is too short to search for stays with its neighbor and
/// what is between them; the article "a" does not count.
fn loose_words(stretch: &str) -> Vec<String> {
    let around = |c: char| "[](){}<>:;,.!?".contains(c);
    let mut words: Vec<String> = Vec::new();
    let mut before = "";
    let mut short = String::new();
    for written in stretch.split_whitespace() {
        let word = written.trim_matches(around);
        if !word.bytes().any(in_word) || word.eq_ignore_ascii_case("a") {
            continue;
        }
        let is_short = searchable(word.trim_end_matches('*')) < PART_MIN_BYTES;
        match words.last_mut() {
            _ if !short.is_empty() => words.push(std::mem::take(&mut short) + " " + word),
            Some(last) if is_short => {
                *last = format!("{} {word}", before.trim_start_matches(around));
            }
            None if is_short => short = word.to_owned(),
            _ => words.push(word.to_owned()),
        }
        before = written;
    }
    if !short.is_empty() {
        words.push(short);
    }
    words
}

/// Number of bytes of `text` from its first word on.
fn searchable(text: &str) -> usize {
    text.trim_start_matches(|c: char| !(c.is_alphanumeric() || c == '_'))
        .len()
}

/// What a section holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Section {
    Phrases(Role),
    Programs(SourceClass),
    Containers(SourceClass),
    Names,
    Alike,
}

/// The content of the file `text`, in its order.
pub(super) fn parse(text: &str) -> Result<File, LexiconError> {
    let mut file = File::default();
    let mut section = None;
    let mut classes = SourceClasses::ALL;
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
            if let Some(list) = head.strip_prefix("from ") {
                classes = self::classes(list).map_err(fail)?;
                continue;
            }
            match self::section(head) {
                Some(known) => {
                    section = Some(known);
                    continue;
                }
                None if section == Some(Section::Phrases(Role::Hidden)) => {}
                None => {
                    return Err(fail(format!(
                        "unknown section \"{head}\"; the sections are {}, words, things FAMILY, benign, routine, report, hidden, names, \
                         alike, source CLASS, container CLASS, from CLASS, ...",
                        Family::ALL.map(Family::as_str).join(", ")
                    )));
                }
            }
        }
        match section {
            None => {
                return Err(fail(
                    "a phrase before the first section, such as [storage]".into(),
                ));
            }
            Some(Section::Phrases(role)) => {
                file.entries.push(entry(line, role, classes).map_err(fail)?);
            }
            Some(Section::Programs(class)) => {
                file.programs
                    .push(program(line, class, false).map_err(fail)?);
            }
            Some(Section::Containers(class)) => {
                file.programs
                    .push(program(line, class, true).map_err(fail)?);
            }
            Some(Section::Names) => file.names.push(name_rule(line, classes).map_err(fail)?),
            Some(Section::Alike) => file.alike.push(alike(line).map_err(fail)?),
        }
    }
    Ok(file)
}

/// The section with this head.
fn section(head: &str) -> Option<Section> {
    let class = |name: &str| SourceClass::from_name(name.trim());
    Some(match head {
        "words" => Section::Phrases(Role::Word),
        "benign" => Section::Phrases(Role::Benign),
        "routine" => Section::Phrases(Role::Routine),
        "report" => Section::Phrases(Role::Report),
        "hidden" => Section::Phrases(Role::Hidden),
        "names" => Section::Names,
        "alike" => Section::Alike,
        _ => match head.split_once(' ') {
            Some(("things", family)) => {
                Section::Phrases(Role::Thing(Family::from_name(family.trim())?))
            }
            Some(("source", name)) => Section::Programs(class(name)?),
            Some(("container", name)) => Section::Containers(class(name)?),
            _ => Section::Phrases(Role::Phrase(Family::from_name(head)?)),
        },
    })
}

/// The classes of a list such as "kernel, init".
fn classes(list: &str) -> Result<SourceClasses, String> {
    list.split(',')
        .map(|name| match name.trim() {
            "any" => Ok(SourceClasses::ALL),
            name => SourceClass::from_name(name)
                .map(SourceClasses::from)
                .ok_or_else(|| {
                    format!(
                        "unknown class \"{name}\"; the classes are any, {}",
                        SourceClass::ALL.map(SourceClass::as_str).join(", ")
                    )
                }),
        })
        .try_fold(SourceClasses::NONE, |all, class| Ok(all | class?))
}

/// A phrase, with its weight where its role has one.
fn entry(line: &str, role: Role, classes: SourceClasses) -> Result<Entry, String> {
    let (weight, tentative, phrase) = match role {
        Role::Hidden => (1.0, false, line),
        _ => {
            let (written, phrase) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            let (number, tentative) = match written.strip_suffix('?') {
                Some(number) => (number, true),
                None => (written, false),
            };
            let weight = number
                .parse()
                .ok()
                .filter(|w: &f32| (0.0..=1.0).contains(w))
                .ok_or_else(|| {
                    format!("\"{written}\" is not a weight from 0 to 1; write WEIGHT PHRASE")
                })?;
            (weight, tentative, phrase.trim())
        }
    };
    Ok(Entry {
        role,
        weight,
        tentative,
        classes,
        phrase: phrase.to_owned(),
        parts: checked_parts(phrase, role)?,
    })
}

/// A program or container of a class.
fn program(line: &str, class: SourceClass, container: bool) -> Result<Program, String> {
    let name = line.trim_matches('*');
    if name.is_empty() || name.contains('*') {
        return Err(format!(
            "\"{line}\" names no program; a star may stand only before and after a name"
        ));
    }
    Ok(Program {
        name: name.to_ascii_lowercase(),
        open_start: line.starts_with('*'),
        open_end: line.ends_with('*'),
        container,
        class,
    })
}

/// Where names stand.
fn name_rule(line: &str, classes: SourceClasses) -> Result<NameRule, String> {
    let cut = |&(word, kind): &(&str, NameKind)| Some((line.split_once(word)?, kind));
    let Some(((before, after), kind)) = NAMES.iter().find_map(cut) else {
        return Err(format!(
            "\"{line}\" does not say where the name stands; write <name>, <word> or <process>"
        ));
    };
    let has_name = |text: &str| NAMES.iter().any(|(word, _)| text.contains(word));
    if before.is_empty() && after.is_empty() || has_name(after) {
        return Err(format!("\"{line}\" takes text before or after one name"));
    }
    Ok(NameRule {
        kind,
        classes,
        before: before.to_ascii_lowercase(),
        after: after.to_ascii_lowercase(),
    })
}

/// Words that stand for each other.
fn alike(line: &str) -> Result<Vec<String>, String> {
    let words: Vec<String> = line
        .split(',')
        .map(|word| word.trim().to_ascii_lowercase())
        .collect();
    match words.iter().find(|word| searchable(word) < PART_MIN_BYTES) {
        Some(short) => Err(format!(
            "\"{short}\" is too short; write words of at least {PART_MIN_BYTES} letters, separated by commas"
        )),
        None => Ok(words),
    }
}

/// The parts of a phrase that can be searched for.
fn checked_parts(phrase: &str, role: Role) -> Result<Vec<Part>, String> {
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
    let parts = parts(phrase, role);
    for part in &parts {
        let text = part.text.as_str();
        // An underscore also matches a space, which is no word character.
        let trimmed = text.trim_start_matches(|c| !in_word(c) || c == '_');
        if trimmed.len() < PART_MIN_BYTES || !text.contains(char::is_alphanumeric) {
            return Err(format!(
                "\"{text}\" is too short; each part between stars needs a letter or digit and, after leading punctuation, at least {PART_MIN_BYTES} characters"
            ));
        }
        let glued = part.gap == Gap::Glued;
        if part.open && !text.ends_with(in_word) || glued && text.starts_with(in_word) {
            return Err("a star must end a word, or stand between two spaces as a gap".into());
        }
    }
    if parts.is_empty() {
        return Err(format!("\"{phrase}\" has no word"));
    }
    if parts.len() > PARTS_MAX {
        return Err(format!(
            "the phrase has {} words, more than {PARTS_MAX}",
            parts.len()
        ));
    }
    Ok(parts)
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
                    [benign]\n1 fire drill\n[report]\n.8 fire is out\n[hidden]\nfire=off\n[not a section]\n";
        let roles: Vec<(Role, f32, String)> = parse(file)
            .unwrap()
            .entries
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
                (Role::Report, 0.8, "fire is out".into()),
                (Role::Hidden, 1.0, "fire=off".into()),
                (Role::Hidden, 1.0, "[not a section]".into()),
            ]
        );
    }

    #[test]
    fn classes_hold_for_all_sections_that_follow() {
        let file = "[storage]\n0.9 one\n[from kernel, vmm]\n0.8? two\n[vmm]\n0.7 three\n[from any]\n0.6 four\n";
        let entries = parse(file).unwrap().entries;
        let both = SourceClasses::from(SourceClass::Kernel) | SourceClass::Vmm.into();
        let classes: Vec<_> = entries.iter().map(|e| (e.classes, e.tentative)).collect();
        assert_eq!(
            classes,
            [
                (SourceClasses::ALL, false),
                (both, true),
                (both, false),
                (SourceClasses::ALL, false),
            ]
        );
    }

    #[test]
    fn programs_names_and_words_alike_are_read() {
        let file = parse(
            "[source vmm]\nQEMU*\n[container storage]\nosd\n*-osd\n[from kernel]\n[names]\nComm: <name> Tainted\n<process>]: segfault\n\
             [alike]\nfail, failed , Failure to\n",
        )
        .unwrap();
        let programs: Vec<_> = file
            .programs
            .iter()
            .map(|p| {
                (
                    p.name.as_str(),
                    p.open_start,
                    p.open_end,
                    p.container,
                    p.class,
                )
            })
            .collect();
        assert_eq!(
            programs,
            [
                ("qemu", false, true, false, SourceClass::Vmm),
                ("osd", false, false, true, SourceClass::Storage),
                ("-osd", true, false, true, SourceClass::Storage),
            ]
        );
        let names: Vec<_> = file
            .names
            .iter()
            .map(|n| (n.before.as_str(), n.after.as_str()))
            .collect();
        assert_eq!(names, [("comm: ", " tainted"), ("", "]: segfault")]);
        assert_eq!(file.names[0].classes, SourceClass::Kernel.into());
        let kinds: Vec<_> = file.names.iter().map(|n| n.kind).collect();
        assert_eq!(kinds, [NameKind::Text, NameKind::Process]);
        assert_eq!(file.alike, [["fail", "failed", "failure to"]]);
    }

    #[test]
    fn an_error_names_the_line_and_what_would_be_right() {
        let unknown = error("\n[weather]\n");
        assert_eq!(unknown.line, 2);
        assert!(unknown.what.contains("weather") && unknown.what.contains("cpu_pressure"));
        let no_section = error("0.5 snow");
        assert_eq!(no_section.line, 1);
        assert!(no_section.what.contains("[storage]"));
        for weight in ["-0.1", "1.1", "NaN", "much", "disk", "0.5??"] {
            let text = format!("[storage]\n0.5 disk\n{weight} on fire\n");
            assert_eq!(error(&text).line, 3, "{weight}");
            assert!(error(&text).to_string().starts_with("lexicon line 3"));
        }
        assert!(error("[from kernel, weather]").what.contains("weather"));
        assert!(error("[source weather]").what.contains("source CLASS"));
        assert!(error("[names]\nComm:").what.contains("<name>"));
        assert!(error("[names]\n<name>").what.contains("before or after"));
        assert!(error("[source vmm]\nq*mu").what.contains("star"));
        assert!(error("[alike]\nfail,,x").what.contains("too short"));
    }

    #[test]
    fn a_phrase_needs_enough_text_to_search_for() {
        for phrase in ["", "*", "--", "x", "ab * -_c", "q * x"] {
            let text = format!("[storage]\n0.5 {phrase}");
            assert_eq!(error(&text).line, 2, "{phrase}");
        }
        let long = |n| format!("[storage]\n0.5 {}", "xx ".repeat(n));
        assert_eq!(error(&long(PARTS_MAX + 1)).line, 2);
        parse(&long(PARTS_MAX)).unwrap();
        assert_eq!(
            error(&format!("[storage]\n0.5 {}", "x".repeat(201))).line,
            2
        );
    }

    fn cut(phrase: &str, role: Role) -> Vec<(String, bool, Gap)> {
        parts(phrase, role)
            .into_iter()
            .map(|p| (p.text, p.open, p.gap))
            .collect()
    }

    #[test]
    fn a_phrase_of_failure_is_cut_into_words_without_punctuation() {
        let cut = |phrase| cut(phrase, Role::Phrase(Family::Storage));
        assert_eq!(
            cut("[NVMe*]: * is  down!"),
            [
                ("nvme*".trim_end_matches('*').into(), true, Gap::Wide),
                ("is".into(), false, Gap::Wide),
                ("down".into(), false, Gap::Small)
            ]
        );
        assert_eq!(
            cut("EXT*-fs error"),
            [
                ("ext".into(), true, Gap::Wide),
                ("-fs".into(), false, Gap::Glued),
                ("error".into(), false, Gap::Small)
            ]
        );
        assert_eq!(
            cut("a Fail (event): 0*"),
            [
                ("fail".into(), false, Gap::Wide),
                ("event): 0".into(), true, Gap::Small)
            ]
        );
    }

    #[test]
    fn benign_context_is_literal_between_its_gaps() {
        assert_eq!(
            cut("0 Errors, really * corrupt*", Role::Benign),
            [
                ("0 errors, really".into(), false, Gap::Wide),
                ("corrupt".into(), true, Gap::Wide)
            ]
        );
    }
}

//! The text of a log line with places to be filled: `Accepted password for {user} from {ip} port {port}`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use fastrand::Rng;

use super::host::{Host, Value};
use super::kind::Kind;

/// What was drawn so far in an occurrence, by its name.
pub type Bound = BTreeMap<String, Value>;

/// A text with places to be filled.
#[derive(Debug, Clone)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    /// Written as it is.
    Literal(String),
    /// Drawn again every time.
    Draw(Kind),
    /// Drawn once and kept under a name; what is written is it, or a field of it.
    Keep {
        name: String,
        kind: Kind,
        field: Option<String>,
    },
    /// What was kept under this name, or a field of it.
    Kept { name: String, field: Option<String> },
}

/// The fields of what has some.
const FIELDS: [&str; 9] = [
    "id", "uuid", "mac", "ip", "tap", "slot", "pid", "scope", "uid",
];

/// What is drawn from.
pub struct Urn<'a> {
    /// The host that speaks.
    pub host: &'a mut Host,
    /// Chance.
    pub rng: &'a mut Rng,
    /// When the line is written, in microseconds since the epoch.
    pub time: i64,
}

impl Pattern {
    /// Reads a pattern. `known` are the names that were drawn before it; those that it draws are added.
    ///
    /// # Errors
    /// A place that is neither a kind nor a known name, or has arguments that its kind does not take.
    pub fn parse(text: &str, known: &mut BTreeSet<String>) -> Result<Self> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('{') {
                literal.push('{');
                rest = after;
                continue;
            }
            let end = closing(rest).with_context(|| format!("\"{{{rest}\" is not closed"))?;
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::parse(&rest[..end], known)?);
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self(parts))
    }

    /// Fills it into `out`; false where it wants what was not drawn, because the line that draws it did not come about.
    pub fn fill(&self, urn: &mut Urn<'_>, bound: &mut Bound, out: &mut String) -> bool {
        self.0
            .iter()
            .all(|part| part.fill(urn, bound, out).is_some())
    }
}

/// Where the place ends that begins before `text`: places can stand within it.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

impl Part {
    fn parse(text: &str, known: &mut BTreeSet<String>) -> Result<Self> {
        let is_name = |name: &str| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if let Some((name, kind)) = text.split_once('=').filter(|(name, _)| is_name(name)) {
            let kind = Kind::parse(kind, known)?;
            known.insert(name.to_owned());
            return Ok(Self::Keep {
                name: name.to_owned(),
                kind,
                field: None,
            });
        }
        let (name, field) = match text.split_once('.').filter(|(name, _)| is_name(name)) {
            Some((name, field)) => (name, Some(field)),
            None => (text, None),
        };
        if let Some(field) = field {
            let has_fields = known.contains(name) || ["vm", "user"].contains(&name);
            ensure!(
                has_fields && FIELDS.contains(&field),
                "\"{{{text}}}\": there is no such field of what was drawn before"
            );
        }
        let field = field.map(str::to_owned);
        if known.contains(name) {
            return Ok(Self::Kept {
                name: name.to_owned(),
                field,
            });
        }
        let kind = Kind::parse(name, known)?;
        if !is_name(name) {
            return Ok(Self::Draw(kind));
        }
        known.insert(name.to_owned());
        Ok(Self::Keep {
            name: name.to_owned(),
            kind,
            field,
        })
    }

    /// Appends it to `out`; `None` where it wants what was not drawn.
    fn fill(&self, urn: &mut Urn<'_>, bound: &mut Bound, out: &mut String) -> Option<()> {
        let (name, field) = match self {
            Self::Literal(text) => {
                out.push_str(text);
                return Some(());
            }
            Self::Draw(kind) => {
                out.push_str(&kind.draw(urn, bound)?.text);
                return Some(());
            }
            Self::Keep { name, kind, field } => {
                if !bound.contains_key(name) {
                    let value = kind.draw(urn, bound)?;
                    bound.insert(name.clone(), value);
                }
                (name, field)
            }
            Self::Kept { name, field } => (name, field),
        };
        let value = bound.get(name)?;
        out.push_str(match field {
            None => &value.text,
            Some(field) => &value.fields.iter().find(|(name, _)| name == field)?.1,
        });
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(texts: &[&str]) -> Vec<Option<String>> {
        let mut rng = Rng::with_seed(7);
        let mut host = Host::new("hv1", 0, Rng::with_seed(1));
        let (mut known, mut bound) = (BTreeSet::new(), Bound::new());
        let fill = |text: &&str| {
            let pattern = Pattern::parse(text, &mut known).unwrap();
            let mut out = String::new();
            let mut urn = Urn {
                host: &mut host,
                rng: &mut rng,
                time: 1_700_000_000_123_456,
            };
            pattern.fill(&mut urn, &mut bound, &mut out).then_some(out)
        };
        texts.iter().map(fill).collect()
    }

    fn error(text: &str) -> String {
        Pattern::parse(text, &mut BTreeSet::new())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_name_is_drawn_once_and_a_kind_with_arguments_every_time() {
        let texts = filled(&["{user} {user} {a=n:1-1000000} {a}", "{user} {a}"]);
        let words: Vec<&str> = texts[0].as_deref().unwrap().split(' ').collect();
        assert_eq!((words[0], words[2]), (words[1], words[3]));
        assert_eq!(
            texts[1].as_deref(),
            Some(&*format!("{} {}", words[0], words[2]))
        );
        let numbers = filled(&["{n:1-1000000} {n:1-1000000}"]).remove(0).unwrap();
        let (one, other) = numbers.split_once(' ').unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn kinds_look_as_programs_print_them() {
        let texts = filled(&[
            "{hex:4}{HEX:4} {b64:6} {uuid}",
            "{time:%d/%b/%Y:%H:%M:%S} {epoch}",
            "{vm} {vm.tap} {f:1.50-1.50}",
            "{x=n:5-5} {near:x:1}",
            "{{a} {pick:{host}|hv1}",
        ]);
        let text = |at: usize| texts[at].as_deref().unwrap();
        assert_eq!(text(0).len(), 8 + 1 + 6 + 1 + 36);
        assert_eq!(text(1), "14/Nov/2023:22:13:20 1700000000.123");
        assert!(
            text(2).ends_with(" 1.50") && text(2).contains('-'),
            "{}",
            text(2)
        );
        assert!(["5 4", "5 6"].contains(&text(3)), "{}", text(3));
        assert_eq!(text(4), "{a} hv1");
    }

    #[test]
    fn a_line_that_wants_what_was_not_drawn_does_not_come_about() {
        let mut known = BTreeSet::from(["unit".to_owned()]);
        let pattern = Pattern::parse("Stopped {unit}.", &mut known).unwrap();
        let mut host = Host::new("hv1", 0, Rng::with_seed(1));
        let mut urn = Urn {
            host: &mut host,
            rng: &mut Rng::with_seed(1),
            time: 0,
        };
        assert!(!pattern.fill(&mut urn, &mut Bound::new(), &mut String::new()));
    }

    #[test]
    fn a_mistake_in_a_pattern_is_named() {
        for (text, wanted) in [
            ("{nobody}", "\"{nobody}\" is neither a kind"),
            ("{n:5}", "takes LO-HI"),
            ("{n:5-4}", "ends before it begins"),
            ("{vm.size}", "no such field"),
            ("{user", "is not closed"),
            ("{near:x:2}", "takes NAME:DISTANCE"),
        ] {
            assert!(error(text).contains(wanted), "{text}: {}", error(text));
        }
    }
}

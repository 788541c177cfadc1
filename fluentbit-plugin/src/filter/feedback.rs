//! Feedback: the word of an operator, or of a language model by a controller, on a template, as a record.

use std::borrow::Cow;

use bellwether_agent::options::did_you_mean;
use bellwether_agent::text::clean;
use bellwether_sys::Verdict;

use super::values::{self, name};
use crate::msgpack::Value;
use crate::record::{Record, each_pair};

/// The key that makes a record one of feedback; its value is the verdict.
pub const VERDICT: &str = "bellwether_verdict";

/// The key that says whose word it is.
const BY: &str = "bellwether_verdict_by";

/// The keys of a record of feedback.
const KEYS: [&str; 6] = [
    VERDICT,
    BY,
    "template",
    "hypervisor",
    "template_id",
    "family",
];

/// The longest template, bytes.
pub const TEMPLATE_MAX_BYTES: usize = 16 << 10;

/// How much of a text of the record a line of the log quotes, in characters.
const QUOTED_MAX: usize = 80;

/// Whose word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// An operator, whose word counts.
    Operator,
    /// A language model, which can be wrong.
    Model,
}

impl By {
    const WORDS: [(&'static str, Self); 2] = [("operator", Self::Operator), ("model", Self::Model)];
}

/// What a record of feedback says.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback<'a> {
    /// The template.
    pub template: &'a str,
    /// The host whose template it is; none for all hosts, also those to come.
    pub hypervisor: Option<Cow<'a, str>>,
    /// The template's number on that host.
    pub template_id: Option<u64>,
    /// The verdict.
    pub verdict: Verdict,
    /// The family of failures, where a failure has one; else empty.
    pub family: &'a str,
}

impl<'a> Feedback<'a> {
    /// What a record says that has the key [`VERDICT`].
    ///
    /// # Errors
    /// It is no feedback: what is wrong, and what would be right.
    #[cold]
    pub fn of(record: &Record<'a>) -> Result<Self, String> {
        let mut values = [const { None }; KEYS.len()];
        let mut twice = None;
        each_pair(record.map, |key, value, _| {
            if let Some(at) = KEYS.iter().position(|known| known.as_bytes() == key)
                && values[at].replace(value).is_some()
            {
                twice = Some(KEYS[at]);
            }
        });
        if let Some(key) = twice {
            return Err(format!(
                "the key {key} is there twice; it must be there once"
            ));
        }
        let [verdict, by, template, hypervisor, template_id, family] = values;
        let by = match by {
            Some(by) => one_of(BY, by, &By::WORDS)?,
            None => By::Operator,
        };
        let verdicts = [
            ("failure", [Verdict::Failure, Verdict::LikelyFailure]),
            ("benign", [Verdict::Benign, Verdict::LikelyBenign]),
            ("none", [Verdict::None; 2]),
        ];
        let verdict = one_of(VERDICT, verdict.unwrap_or(Value::Nil), &verdicts)?[by as usize];
        if (by, verdict) == (By::Model, Verdict::None) {
            return Err(format!(
                "{VERDICT} is none, by a model; it must be failure or benign: only an operator withdraws verdicts"
            ));
        }
        Ok(Self {
            template: template_of(template)?,
            hypervisor: hypervisor.map(host).transpose()?,
            template_id: match template_id {
                None | Some(Value::Nil) => None,
                Some(id) => Some(number(id)?),
            },
            verdict,
            family: match family {
                None | Some(Value::Nil) => "",
                Some(family) => string("family", family)?,
            },
        })
    }

    /// A line for the log: what was applied, and to how many templates.
    pub fn applied(&self, count: usize) -> String {
        let word = match self.verdict {
            Verdict::None => "verdict none, by operator,",
            Verdict::Benign => "verdict benign, by operator,",
            Verdict::Failure => "verdict failure, by operator,",
            Verdict::LikelyBenign => "verdict benign, by model,",
            Verdict::LikelyFailure => "verdict failure, by model,",
        };
        let (of, to_come) = match &self.hypervisor {
            Some(host) => (short(host), ""),
            None => ("all hosts".into(), ", and holds for those to come"),
        };
        let templates = if count == 1 { "template" } else { "templates" };
        let template = short(self.template);
        let mut line =
            format!("{word} on \"{template}\" of {of}: applied to {count} {templates}{to_come}");
        if count == 0 && self.template.ends_with('…') {
            line += "; if that template was shortened, name hypervisor and template_id as well";
        }
        line
    }
}

/// Whether a key is one that makes a record feedback.
pub fn is_mark(key: &[u8]) -> bool {
    key == VERDICT.as_bytes() || key == BY.as_bytes()
}

/// Whether `template`, as a record of feedback has it, is how `known` is shown in a question or a record: cleaned, and shortened
/// where it ends with an ellipsis.
pub fn is_shown_as(known: &str, template: &str) -> bool {
    let shown = clean(known);
    known == template
        || shown == template
        || template
            .strip_suffix('…')
            .is_some_and(|start| !start.is_empty() && shown.starts_with(start))
}

/// Whether a record without the key has it further within: in a map, or in JSON that no parser has read.
#[cold]
pub fn is_misplaced(record: &Record<'_>) -> bool {
    let mut found = false;
    each_pair(record.map, |_, value, bytes| {
        let has_keys = match value {
            Value::Map(_) => true,
            value => values::text(value).is_some_and(|text| text.first() == Some(&b'{')),
        };
        let mark = VERDICT.as_bytes();
        found |= has_keys && bytes.windows(mark.len()).any(|part| part == mark);
    });
    found
}

/// The beginning of a text, for a line of the log.
fn short(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}…", clean(&text[..end])),
        None => clean(text).into_owned(),
    }
}

/// What a value is, for a line of the log.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Str(text) | Value::Bin(text) => {
            let start = &text[..text.len().min(4 * QUOTED_MAX)];
            format!("\"{}\"", short(&String::from_utf8_lossy(start)))
        }
        Value::Unsigned(number) => number.to_string(),
        Value::Negative(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Nil => "null".into(),
        Value::Map(_) => "a map".into(),
        Value::Array(_) => "a list".into(),
        Value::Ext(..) => "of an unknown type".into(),
    }
}

fn string<'a>(key: &str, value: Value<'a>) -> Result<&'a str, String> {
    match value {
        Value::Str(text) | Value::Bin(text) => std::str::from_utf8(text)
            .map_err(|_| format!("{key} is {}; it must be UTF-8", shown(value))),
        _ => Err(format!("{key} is {}; it must be a string", shown(value))),
    }
}

/// What goes by the word that is the value.
fn one_of<T: Copy, const N: usize>(
    key: &str,
    value: Value<'_>,
    words: &[(&str, T); N],
) -> Result<T, String> {
    let word = values::text(value).and_then(|word| std::str::from_utf8(word).ok());
    let known = words.iter().find(|(known, _)| Some(*known) == word);
    known.map(|(_, found)| *found).ok_or_else(|| {
        let names = words.each_ref().map(|(known, _)| *known);
        let hint = did_you_mean(word.unwrap_or_default(), names);
        let (last, others) = names.split_last().expect("there are words");
        let others = others.join(", ");
        format!(
            "{key} is {}; it must be {others} or {last}{hint}",
            shown(value)
        )
    })
}

fn template_of(value: Option<Value<'_>>) -> Result<&str, String> {
    let Some(value) = value else {
        return Err(
            "there is no template; it must be that of a record, an event or a question".into(),
        );
    };
    let template = string("template", value)?;
    match template.len() {
        0 => Err("template is empty; it must be that of a record, an event or a question".into()),
        1..=TEMPLATE_MAX_BYTES => Ok(template),
        length => Err(format!(
            "template has {length} bytes; it must have at most {TEMPLATE_MAX_BYTES}"
        )),
    }
}

/// The name of a host. An empty one is no word on all hosts.
fn host(value: Value<'_>) -> Result<Cow<'_, str>, String> {
    name(value).ok_or_else(|| {
        let shown = shown(value);
        format!(
            "hypervisor is {shown}; it must be the name of a host, or be left out for all hosts"
        )
    })
}

fn number(value: Value<'_>) -> Result<u64, String> {
    values::number(value).ok_or_else(|| {
        let shown = shown(value);
        format!("template_id is {shown}; it must be the number of a template, or be left out")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_recognized_as_it_is_shown() {
        let known = "disk\u{200b} <:*:> failed\u{1b} at sector <:NUM:>";
        for shown in [
            known,
            "disk <:*:> failed  at sector <:NUM:>",
            "disk <:*:> failed  at…",
            "disk <:*:>…",
        ] {
            assert!(is_shown_as(known, shown), "{shown}");
        }
        for other in [
            "",
            "…",
            "disk",
            "disk <:*:> was…",
            "disk <:*:> failed  at sector <:NUM:> x",
        ] {
            assert!(!is_shown_as(known, other), "{other}");
        }
    }
}

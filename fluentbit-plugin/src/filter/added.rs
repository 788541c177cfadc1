//! The keys that are added to records.

use bellwether_agent::text::clean;

use super::line::Verdict;
use crate::config::{Key, Settings};
use crate::event::{write_bool, write_float, write_str, write_unsigned};

/// Keys that are added, each with its encoded name.
#[derive(Debug)]
pub struct Added(Vec<(Key, Vec<u8>)>);

impl Added {
    /// These keys, under the names that the settings give them.
    pub fn new(keys: &[Key], settings: &Settings) -> Self {
        let named = |&key: &Key| {
            let mut name = Vec::new();
            write_str(&mut name, settings.name_of(key).as_bytes());
            (key, name)
        };
        Self(keys.iter().map(named).collect())
    }

    /// Writes the pairs for which the verdict has a value; how many these are.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, verdict: &Verdict<'_>) -> u32 {
        let pairs = self.0.iter();
        pairs
            .map(|(key, name)| u32::from(pair(out, *key, name, verdict)))
            .sum()
    }
}

/// Writes a pair where the verdict has a value for it.
#[inline]
fn pair(out: &mut Vec<u8>, key: Key, name: &[u8], verdict: &Verdict<'_>) -> bool {
    let start = out.len();
    out.extend_from_slice(name);
    match key {
        Key::TemplateId | Key::Template if verdict.template_id == 0 => {
            out.truncate(start);
            return false;
        }
        Key::TemplateId => write_unsigned(out, verdict.template_id),
        Key::Template => write_str(out, clean(verdict.template).as_bytes()),
        Key::Severity => write_float(out, verdict.severity),
        Key::Score => write_float(out, verdict.score),
        Key::Novel => write_bool(out, verdict.novel),
        Key::Unpredicted => write_bool(out, verdict.unpredicted),
        Key::Family => match verdict.family {
            Some(family) => write_str(out, family.as_bytes()),
            None => {
                out.truncate(start);
                return false;
            }
        },
    }
    true
}

//! Who said a record.

use std::borrow::Cow;

use crate::event::LogSource;
use crate::memory::allocation;
use crate::text::shortened;

/// The longest name of a program or a unit and the longest tag that an event shows, bytes.
const NAME_MAX_BYTES: usize = 256;

/// Who said a record, as far as its transport says so. The names may be any bytes; an empty one is unknown. Nothing of it has an
/// influence on what a record is found to be: an event shows it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Source<'a> {
    /// The program, as syslog's tag or the journal's identifier name it.
    pub program: &'a [u8],
    /// The unit that it belongs to: of systemd, or the pod or container.
    pub unit: &'a [u8],
    /// What the record's transport calls it, as Fluent Bit's tag.
    pub tag: &'a [u8],
}

impl From<Source<'_>> for LogSource {
    fn from(source: Source<'_>) -> Self {
        Self {
            program: shown(source.program),
            unit: shown(source.unit),
            tag: shown(source.tag),
        }
    }
}

/// `name` in UTF-8, cut and without control characters; `None` where there is nothing in it.
fn shown(name: &[u8]) -> Option<String> {
    // What is beyond the limit need not be looked at; a character that is cut here is cut away below.
    let name = String::from_utf8_lossy(&name[..name.len().min(2 * NAME_MAX_BYTES)]);
    let name: Cow<'_, str> = match name.trim() {
        trimmed if trimmed.len() == name.len() => name,
        trimmed => trimmed.to_owned().into(),
    };
    (!name.is_empty()).then(|| shortened(&name, NAME_MAX_BYTES))
}

/// How much memory a source takes outside of itself, in bytes.
pub(super) fn bytes(source: &LogSource) -> usize {
    let LogSource { program, unit, tag } = source;
    let names = [program, unit, tag].into_iter().flatten();
    names.map(|name| allocation(name.capacity())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_cleaned_and_empty_ones_are_unknown() {
        let long = vec![b'x'; 10_000];
        let source = LogSource::from(Source {
            program: b" ke\nrnel\xff\0 ",
            unit: b" \t",
            tag: &long,
        });
        assert_eq!(source.program.as_deref(), Some("ke rnel\u{fffd} "));
        assert_eq!(source.unit, None);
        let tag = source.tag.as_deref().unwrap();
        assert!(tag.len() <= NAME_MAX_BYTES && tag.starts_with("xxx") && tag.ends_with('…'));
        assert_eq!(LogSource::from(Source::default()), LogSource::default());
    }
}

//! The source of a record.

use std::borrow::Cow;

use crate::event::LogSource;
use crate::inference::Transport;
use crate::memory::allocation;
use crate::text::shortened;

/// Maximum length of a name in an event, in bytes.
const NAME_MAX_BYTES: usize = 256;

/// The source of a record, as far as its transport names it. Names may be any bytes; an empty one is unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Source<'a> {
    /// How the record reached the log.
    pub transport: Transport,
    /// The program, from syslog's tag or the journal's identifier.
    pub program: &'a [u8],
    /// The systemd unit, pod or container of the program.
    pub unit: &'a [u8],
    /// The agent's name for the input of the record, such as Fluent Bit's tag.
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

/// `name` in UTF-8, shortened and without control characters; `None` if it is blank.
fn shown(name: &[u8]) -> Option<String> {
    // The rest cannot be shown anyway; a character that is cut in half here is cut off below.
    let name = String::from_utf8_lossy(&name[..name.len().min(2 * NAME_MAX_BYTES)]);
    let name: Cow<'_, str> = match name.trim() {
        trimmed if trimmed.len() == name.len() => name,
        trimmed => trimmed.to_owned().into(),
    };
    (!name.is_empty()).then(|| shortened(&name, NAME_MAX_BYTES))
}

/// Memory of a source outside of itself in bytes.
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
            ..Source::default()
        });
        assert_eq!(source.program.as_deref(), Some("ke rnel\u{fffd} "));
        assert_eq!(source.unit, None);
        let tag = source.tag.as_deref().unwrap();
        assert!(tag.len() <= NAME_MAX_BYTES && tag.starts_with("xxx") && tag.ends_with('…'));
        assert_eq!(LogSource::from(Source::default()), LogSource::default());
    }
}

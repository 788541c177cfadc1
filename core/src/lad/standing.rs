//! Verdicts on templates by their text: they hold for all streams, also for templates that are still to come.

use rustc_hash::FxHashMap;

use super::options::LadOptions;
use super::record::Verdict;
use crate::drain::{DrainOptions, Miner};
use crate::memory::table;
use crate::options::OptionError;

/// Maximum number of verdicts; beyond that, the oldest are forgotten.
const VERDICTS_MAX: usize = 1024;
/// Maximum memory of their templates, in bytes.
const TEMPLATES_MAX_BYTES: usize = 1 << 20;

/// The verdicts, by the number of their template in a parser of their own.
#[derive(Debug)]
pub(super) struct Standing {
    templates: Miner,
    verdicts: FxHashMap<u64, Verdict>,
}

impl Standing {
    /// No verdicts, on templates of a parser with these options.
    pub(super) fn new(options: &LadOptions) -> Result<Self, OptionError> {
        let options = DrainOptions {
            max_clusters: VERDICTS_MAX,
            max_bytes: TEMPLATES_MAX_BYTES,
            ..options.drain.clone()
        };
        Ok(Self {
            templates: Miner::new(options)?,
            verdicts: FxHashMap::default(),
        })
    }

    /// The same without its verdicts.
    pub(super) fn blank(&self) -> Self {
        Self {
            templates: self.templates.blank(),
            verdicts: FxHashMap::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    /// Adds a verdict; one that is not certain does not replace one that is. `None` removes it.
    pub(super) fn set(&mut self, template: &str, verdict: Option<Verdict>) {
        let id = self.templates.seed(template);
        match (verdict, self.verdicts.get(&id)) {
            (None, _) => {
                self.verdicts.remove(&id);
            }
            (Some(new), Some(old)) if old.is_certain() && !new.is_certain() => {}
            (Some(new), _) => {
                self.verdicts.insert(id, new);
            }
        }
        let templates = &self.templates;
        self.verdicts
            .retain(|&id, _| templates.template(id).is_some());
    }

    /// The verdict on the template that a line matches word by word.
    pub(super) fn of(&self, line: &str) -> Option<Verdict> {
        self.verdicts.get(&self.templates.find(line)?).copied()
    }

    /// The templates and their verdicts, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, Verdict)> {
        let clusters = self.templates.clusters();
        clusters.filter_map(|cluster| Some((cluster.template, *self.verdicts.get(&cluster.id)?)))
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        if self.is_empty() {
            return 0;
        }
        self.templates.bytes() + table(self.verdicts.capacity(), size_of::<(u64, Verdict)>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_holds_for_the_lines_that_its_template_matches() {
        let mut standing = Standing::new(&LadOptions::default()).unwrap();
        standing.set("disk <:*:> failed", Some(Verdict::Benign));
        assert_eq!(standing.of("disk sda failed"), Some(Verdict::Benign));
        assert_eq!(standing.of("disk sda removed"), None);
        standing.set("disk <:*:> failed", Some(Verdict::LikelyFailure(None)));
        assert_eq!(standing.of("disk sdb failed"), Some(Verdict::Benign));
        standing.set("disk <:*:> failed", None);
        assert!(standing.is_empty());
    }

    #[test]
    fn the_oldest_verdicts_make_room() {
        let mut standing = Standing::new(&LadOptions::default()).unwrap();
        for i in 0_u32..3000 {
            let word = |n: u32| char::from(b'a' + (n % 26) as u8);
            let text = format!("w{}{}{} stopped", word(i), word(i / 26), word(i / 676));
            standing.set(&text, Some(Verdict::Failure));
        }
        assert_eq!(standing.iter().count(), VERDICTS_MAX);
        assert_eq!(standing.of("waaa stopped"), None);
        assert!(standing.bytes() < TEMPLATES_MAX_BYTES + (1 << 16));
    }
}

//! Log keys: the numbers of a fleet's templates, the same on all hosts.

use super::error::{ModelError, at_most};
use super::lstm::KEYS_MAX;
use crate::drain::{DrainOptions, Miner, SHAPE, Scratch};
use crate::snapshot::shape;

/// Maximum memory of the templates in bytes.
const TEMPLATES_MAX_BYTES: usize = 64 << 20;

/// The templates of a fleet, which have the keys 1, 2 and so on; 0 is the key of all other lines.
#[derive(Debug)]
pub struct Vocabulary {
    miner: Miner,
    scratch: Scratch,
}

impl Vocabulary {
    /// The vocabulary of these templates, for lines that are parsed with `options`.
    ///
    /// # Errors
    /// A template is there twice, they are too many or too large, or options contradict each other.
    pub fn new(options: &DrainOptions, templates: &[String]) -> Result<Self, ModelError> {
        at_most("templates", templates.len(), KEYS_MAX - 1)?;
        let options = DrainOptions {
            max_clusters: KEYS_MAX,
            max_bytes: TEMPLATES_MAX_BYTES,
            ..options.clone()
        };
        let mut miner =
            Miner::new(options).map_err(|error| ModelError::Description(error.to_string()))?;
        for (key, template) in (1..).zip(templates) {
            if miner.seed(template) != key {
                let text = crate::text::shortened(template, 200);
                return Err(ModelError::Description(format!(
                    "the template \"{text}\" is there twice"
                )));
            }
        }
        if miner.statistics().evicted > 0 {
            let found: usize = templates.iter().map(String::len).sum();
            return Err(ModelError::Limit {
                what: "bytes of templates in memory",
                found: found as u64,
                most: TEMPLATES_MAX_BYTES as u64,
            });
        }
        Ok(Self {
            miner,
            scratch: Scratch::default(),
        })
    }

    /// The options of the parser that decide which template a line has, by name, as a model keeps them.
    pub fn shape(options: &DrainOptions) -> Vec<(String, String)> {
        let named = |(name, value)| (format!("drain_{name}"), value);
        shape(options, &SHAPE).into_iter().map(named).collect()
    }

    /// Refuses a model that was made with other options of the parser.
    pub(super) fn check(
        options: &DrainOptions,
        then: &[(String, String)],
    ) -> Result<(), ModelError> {
        let now = Self::shape(options);
        if now.len() != then.len() {
            return Err(ModelError::Description(format!(
                "it has {} options of the parser; it takes {}",
                then.len(),
                now.len()
            )));
        }
        let other = now.into_iter().zip(then).find(|(now, then)| now != *then);
        match other {
            None => Ok(()),
            Some(((option, now), (_, then))) => Err(ModelError::OtherOption {
                option,
                then: then.clone(),
                now,
            }),
        }
    }

    /// The key of a line: 0 if it would join none of the templates. Learns nothing from it.
    pub fn key(&mut self, line: &str) -> u32 {
        self.miner.mask_into(&mut self.scratch, line);
        joined(&mut self.miner, &mut self.scratch)
    }

    /// The key of the masked line in `scratch`.
    pub(super) fn key_of_masked(&mut self, scratch: &mut Scratch) -> u32 {
        joined(&mut self.miner, scratch)
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.miner.bytes() + self.scratch.bytes()
    }
}

/// The key of the template that the masked line in `scratch` would join.
fn joined(miner: &mut Miner, scratch: &mut Scratch) -> u32 {
    let cluster = miner.joins(scratch).unwrap_or(0);
    u32::try_from(cluster).unwrap_or(0)
}

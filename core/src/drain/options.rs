//! The options of Drain.

use crate::options::{Kind, OptionError, choice, options};

choice! {
    /// Which built-in masks a line goes through before it is parsed.
    pub enum BuiltinMasks {
        /// Those that VMFT-LAD was published with: ID, IP, SEQ, HEX, NUM, CMD (the default).
        Published = "published",
        /// Custom masks only.
        None = "none",
    }
}

/// The options that decide which template a line has.
pub(crate) const SHAPE: [&str; 9] = [
    "depth",
    "sim_th",
    "max_children",
    "extra_delimiters",
    "parametrize_numeric_tokens",
    "builtin_masks",
    "masks",
    "max_line_bytes",
    "max_tokens",
];

options! {
    /// The options of a [`Miner`](super::Miner).
    pub struct DrainOptions {
        depth alias "tree_depth": usize = "4", Kind::Integer { min: 3, max: 10 }, "levels",
            "Depth of the prefix tree, with the root, the level of line lengths and the leaves: 4 compares one word.";
        sim_th alias "merge_threshold": f64 = "0.4", Kind::Number { min: 0.0, max: 1.0 }, "share of the words",
            "A line joins a template when at least this share of its words is the same.";
        max_children alias "max_node_children": usize = "100", Kind::Integer { min: 2, max: 10_000 }, "",
            "Maximum number of children of a node of the prefix tree; further words share one.";
        max_clusters: usize = "5000", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of templates to keep; a new one then replaces the least recently used one.";
        extra_delimiters: String = "_", Kind::Text { max: 32 }, "",
            "Characters that separate words like white space does.";
        parametrize_numeric_tokens: bool = "true", Kind::Flag, "",
            "Let words with a digit share one child of a node of the prefix tree.";
        builtin_masks: BuiltinMasks = "published", Kind::Choice(BuiltinMasks::WORDS), "",
            "Built-in masks: published (ID, IP, SEQ, HEX, NUM, CMD) or none.";
        masks: String = "", Kind::Text { max: 65_536 }, "",
            "Custom masks, NAME=REGEX, applied in order before the built-in ones; separated by line breaks or \" ; \".";
        max_line_bytes: usize = "4096", Kind::Integer { min: 64, max: 1_048_576 }, "bytes",
            "Lines are truncated to this length.";
        max_tokens: usize = "256", Kind::Integer { min: 1, max: 10_000 }, "words",
            "Lines are truncated to this number of words.";
        max_bytes: usize = "33554432", Kind::Integer { min: 262_144, max: 17_179_869_184 }, "bytes",
            "Maximum memory to use; at the limit, the least recently used templates are evicted.";
        @reserved "seeds";
    }
}

impl DrainOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// [`OptionError`] with the mistake and its correction.
    pub fn validate(&self) -> Result<(), OptionError> {
        let separates = |c: char| c.is_ascii_punctuation();
        if !self.extra_delimiters.chars().all(separates) {
            return Err(OptionError::Value {
                name: "extra_delimiters",
                value: self.extra_delimiters.clone(),
                allowed: "ASCII punctuation, such as _ or _=,".into(),
                unit: "",
            });
        }
        super::mask::Masks::new(self).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_punctuation() {
        let mut options = DrainOptions::default();
        options.set("extra_delimiters", "_=,").unwrap();
        options.validate().unwrap();
        options.set("extra_delimiters", "").unwrap();
        options.validate().unwrap();
        options.set("extra_delimiters", "_x").unwrap();
        let error = options.validate().unwrap_err().to_string();
        assert!(
            error.contains("extra_delimiters") && error.contains("punctuation"),
            "{error}"
        );
    }

    #[test]
    fn an_invalid_mask_is_refused_with_the_reason() {
        for (masks, says) in [
            ("VM", "NAME=REGEX"),
            ("VM=(", "unclosed group"),
            ("VM=x*", "empty string"),
            ("V1=x", "letters"),
        ] {
            let mut options = DrainOptions::default();
            options.set("masks", masks).unwrap();
            let error = options.validate().unwrap_err().to_string();
            assert!(
                error.contains(says) && error.contains("masks"),
                "{masks}: {error}"
            );
        }
    }
}

//! What the documentation shows, for tests that try it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// A file of the project, by its path from the project's folder.
///
/// # Errors
/// Where it cannot be read.
pub fn file(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The indented blocks of a Markdown text, without their indentation.
pub fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut block) = (Vec::new(), String::new());
    for line in text.lines().chain(["end"]) {
        match line.strip_prefix("    ") {
            Some(code) => block += &format!("{code}\n"),
            // A blank line may be one of the block.
            None if line.is_empty() && !block.is_empty() => block.push('\n'),
            None if !block.is_empty() => {
                blocks.push(format!("{}\n", block.trim_end()));
                block.clear();
            }
            None => {}
        }
    }
    blocks
}

/// What a manual page shows between `.nf` and `.fi`.
pub fn examples(page: &str) -> Vec<String> {
    let unfilled = page
        .split(".nf\n")
        .skip(1)
        .filter_map(|rest| rest.split_once(".fi"));
    unfilled
        .map(|(example, _)| example.replace("\\-", "-"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_is_indented_with_their_blank_lines() {
        let text = "a\n\n    one\n      two\n\n    three\n\nb\n\n    four\n";
        assert_eq!(blocks(text), ["one\n  two\n\nthree\n", "four\n"]);
    }

    #[test]
    fn examples_are_unfilled_and_have_their_hyphens() {
        let page = ".SH A\n.nf\na\\-b\n.fi\ntext\n.nf\nc\n.fi\n";
        assert_eq!(examples(page), ["a-b\n", "c\n"]);
    }
}

//! What the documentation contains, for tests that try it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders that are no part of the project's sources, wherever they are.
const IGNORED: [&str; 3] = ["target", "corpus", "artifacts"];

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the project, by its path from the project's folder.
///
/// # Errors
/// Where it cannot be read.
pub fn file(path: &str) -> Result<String> {
    let path = root().join(path);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The paths, from the project's folder, of all files in `path`, or of `path` where it is a file; sorted. Hidden files and what is
/// built are left out.
///
/// # Errors
/// Where a folder cannot be read.
pub fn files(path: &str) -> Result<Vec<String>> {
    let whole = root().join(path);
    if whole.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    let entries =
        fs::read_dir(&whole).with_context(|| format!("cannot read {}", whole.display()))?;
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || IGNORED.contains(&name.as_str()) {
            continue;
        }
        let inner = match path {
            "" => name,
            path => format!("{path}/{name}"),
        };
        paths.extend(files(&inner)?);
    }
    paths.sort();
    Ok(paths)
}

/// The paths of all Markdown files of the project.
///
/// # Errors
/// Where a folder cannot be read.
pub fn pages() -> Result<Vec<String>> {
    let mut pages = files("")?;
    pages.retain(|path| path.ends_with(".md"));
    Ok(pages)
}

/// A block of code in a Markdown text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What stands behind the fence; empty for an indented block.
    pub language: String,
    /// The code, without its indentation.
    pub text: String,
}

/// All blocks of code of a Markdown text, fenced and indented, in their order.
#[must_use]
pub fn code(text: &str) -> Vec<Code> {
    let (mut all, mut indented) = (Vec::new(), String::new());
    let mut lines = text.lines().chain(["end"]);
    while let Some(line) = lines.next() {
        match (line.strip_prefix("    "), line.strip_prefix("```")) {
            (Some(code), _) => indented += &format!("{code}\n"),
            // A blank line may be one of the block.
            _ if line.is_empty() && !indented.is_empty() => indented.push('\n'),
            (None, fence) => {
                if !indented.is_empty() {
                    let text = format!("{}\n", indented.trim_end());
                    all.push(Code {
                        language: String::new(),
                        text,
                    });
                    indented.clear();
                }
                if let Some(language) = fence {
                    let inside = lines.by_ref().take_while(|line| !line.starts_with("```"));
                    all.push(Code {
                        language: language.trim().to_owned(),
                        text: inside.map(|line| format!("{line}\n")).collect(),
                    });
                }
            }
        }
    }
    all
}

/// The texts of all blocks of code of a Markdown text.
#[must_use]
pub fn blocks(text: &str) -> Vec<String> {
    code(text).into_iter().map(|code| code.text).collect()
}

/// All blocks of code of all pages.
///
/// # Errors
/// Where a page cannot be read.
pub fn all_blocks() -> Result<Vec<String>> {
    let texts: Result<Vec<String>> = pages()?.iter().map(|page| file(page)).collect();
    Ok(texts?.iter().flat_map(|text| blocks(text)).collect())
}

/// What a manual page shows between `.nf` and `.fi`.
#[must_use]
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
    fn blocks_are_what_is_fenced_with_its_indentation_and_language() {
        let text = "a\n```yaml\nb:\n    c\n\n```\n    d\n```\n```\ne\n";
        let found = code(text);
        assert_eq!(
            found.iter().map(|c| c.text.as_str()).collect::<Vec<_>>(),
            ["b:\n    c\n\n", "d\n", ""]
        );
        assert_eq!(found[0].language, "yaml");
        assert_eq!(found[1].language, "");
    }

    #[test]
    fn examples_are_unfilled_and_have_their_hyphens() {
        let page = ".SH A\n.nf\na\\-b\n.fi\ntext\n.nf\nc\n.fi\n";
        assert_eq!(examples(page), ["a-b\n", "c\n"]);
    }

    #[test]
    fn pages_are_the_markdown_files_outside_of_what_is_built() {
        let pages = pages().unwrap();
        assert!(pages.contains(&"README.md".to_owned()), "{pages:?}");
        assert!(pages.contains(&"docs/collectd.md".to_owned()), "{pages:?}");
        assert!(pages.iter().all(|page| !page.contains("target/")));
    }
}

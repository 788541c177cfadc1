//! The documentation is whole: its links lead somewhere, its tables hold, and it names what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use bellwether_core::event::Event;
use bellwether_tests::documentation::{blocks, code, file, files, pages, root};
use bellwether_tests::testbed::plugin::Plugin;
use serde_json::Value;

/// The lines of a Markdown text that are not in a block of code, without what stands in code spans where `spans` is false.
fn prose(text: &str, spans: bool) -> Vec<String> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        let is_fence = line.starts_with("```");
        fenced ^= is_fence;
        let line = match is_fence || fenced || line.starts_with("    ") {
            true => "",
            false => line,
        };
        lines.push(match spans {
            true => line.to_owned(),
            false => line.split('`').step_by(2).collect::<Vec<_>>().join(" "),
        });
    }
    lines
}

/// What GitHub and mdBook make of a heading for links to lead to.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut times = BTreeMap::new();
    let headings = prose(text, true);
    let headings = headings.iter().filter_map(|line| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim().to_lowercase())
    });
    headings
        .map(|title| {
            let kept = title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let time = times.entry(anchor.clone()).or_insert(0);
            *time += 1;
            match *time {
                1 => anchor,
                again => format!("{anchor}-{}", again - 1),
            }
        })
        .collect()
}

/// The targets of the links and pictures of a Markdown text.
fn links(text: &str) -> Vec<String> {
    let text = prose(text, false).join("\n");
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| Some(rest.split_once(')')?.0.to_owned()))
        .collect()
}

#[test]
fn every_link_to_a_page_or_a_heading_leads_there() -> Result<()> {
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in pages()? {
        let text = file(&page)?;
        let folder = root().join(&page);
        let folder = folder.parent().context("a page is in a folder")?;
        for link in links(&text) {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            followed += 1;
            let (path, anchor) = match link.split_once('#') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (link.as_str(), None),
            };
            let target = match path {
                "" => root().join(&page),
                path => folder.join(path),
            };
            let leads = match anchor {
                None => target.exists(),
                Some(anchor) => {
                    fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor))
                }
            };
            // A page of the book cannot lead to what is not in it.
            let leaves = page.starts_with("docs/") && path.contains("..");
            if !leads || leaves {
                broken.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 50, "{followed}");
    Ok(())
}

#[test]
fn every_row_of_a_table_has_the_cells_of_its_heading() -> Result<()> {
    for page in pages()? {
        let mut wanted = None;
        for (number, line) in (1..).zip(prose(&file(&page)?, true)) {
            if !line.starts_with('|') {
                wanted = None;
                continue;
            }
            let bars = line.replace("\\|", "").matches('|').count();
            assert_eq!(bars, *wanted.get_or_insert(bars), "{page}:{number}: {line}");
        }
    }
    Ok(())
}

#[test]
fn the_summary_of_the_book_names_every_page() -> Result<()> {
    let summary: BTreeSet<String> = links(&file("docs/SUMMARY.md")?).into_iter().collect();
    let there: BTreeSet<String> = files("docs")?
        .into_iter()
        .filter_map(|path| Some(path.strip_prefix("docs/")?.to_owned()))
        .filter(|path| path.ends_with(".md") && path != "SUMMARY.md")
        .collect();
    assert_eq!(summary, there);
    Ok(())
}

#[test]
fn every_picture_of_the_book_is_shown() -> Result<()> {
    let texts: Result<Vec<String>> = pages()?.iter().map(|page| file(page)).collect();
    let shown: Vec<String> = texts?.iter().flat_map(|text| links(text)).collect();
    for picture in files("docs/figures")? {
        let name = picture.trim_start_matches("docs/");
        assert!(shown.iter().any(|link| link == name), "{picture}");
    }
    Ok(())
}

#[test]
fn the_readme_can_be_read_in_one_sitting() -> Result<()> {
    let readme = file("README.md")?;
    assert!(readme.lines().count() <= 120);
    let headings: Vec<&str> = readme.lines().filter(|l| l.starts_with('#')).collect();
    assert_eq!(
        headings,
        [
            "# bellwether",
            "## Install",
            "## collectd",
            "## Fluent Bit",
            "## An event and an alert",
            "## What happens then",
            "## When not to trust it",
            "## Where to read on",
            "## Contributing",
            "## License",
        ]
    );
    Ok(())
}

/// The members of the workspace.
fn members() -> Result<Vec<String>> {
    let manifest = file("Cargo.toml")?;
    let (_, rest) = manifest.split_once("members = [").context("members")?;
    let (members, _) = rest.split_once(']').context("their end")?;
    let names = members.split('"').skip(1).step_by(2);
    Ok(names.map(str::to_owned).collect())
}

#[test]
fn the_architecture_names_every_folder_and_every_crate() -> Result<()> {
    let text = file("ARCHITECTURE.md")?;
    let rows: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("/` |"))
        .map(|(folder, _)| folder)
        .collect();
    let mut there: BTreeSet<String> = members()?.into_iter().collect();
    for entry in fs::read_dir(root())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() && name != "target" && name != ".git" {
            there.insert(name);
        }
    }
    let unnamed: Vec<&String> = there
        .iter()
        .filter(|f| !rows.contains(f.as_str()))
        .collect();
    assert!(unnamed.is_empty(), "ARCHITECTURE.md lacks {unnamed:?}");
    let gone: Vec<&&str> = rows.iter().filter(|f| !root().join(f).is_dir()).collect();
    assert!(gone.is_empty(), "ARCHITECTURE.md names {gone:?}");
    Ok(())
}

/// The names that stand at the beginning of the lines between `begin` and `end`: variants or keys.
fn declared(source: &str, begin: &str, end: &str) -> Result<Vec<String>> {
    let (_, rest) = source.split_once(begin).with_context(|| begin.to_owned())?;
    let (body, _) = rest.split_once(end).context("the end of a body")?;
    let names = body.lines().filter_map(|line| {
        let line = line.trim();
        let end = line.find(|c: char| !c.is_alphanumeric() && c != '_')?;
        (end > 0).then(|| line[..end].to_owned())
    });
    Ok(names.collect())
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

#[test]
fn the_page_on_events_names_every_kind_and_every_key() -> Result<()> {
    let page = file("docs/events.md")?;
    let kinds = declared(
        &file("core/src/event/terms.rs")?,
        "pub enum EventKind {",
        "\n    }",
    )?;
    let keys = declared(&file("core/src/event/flat.rs")?, "\nflat! {", "\n}")?;
    assert!(kinds.len() > 5 && keys.len() > 20, "{kinds:?} {keys:?}");
    for kind in kinds {
        let heading = format!("\n## {}\n", snake_case(&kind));
        assert!(page.contains(&heading), "{heading}");
    }
    for key in keys {
        assert!(page.contains(&format!("`{key}`")), "{key}");
    }
    Ok(())
}

#[test]
fn every_event_in_the_documentation_is_one() -> Result<()> {
    let mut events = 0;
    for page in pages()? {
        let json = code(&file(&page)?)
            .into_iter()
            .filter(|c| c.language == "json");
        for shown in json {
            let shown: Value = serde_json::from_str(&shown.text).context(page.clone())?;
            // A question is a record of the Fluent Bit filter, and a verdict one that it takes.
            if shown["event"] == "log_question" || shown.get("bellwether_verdict").is_some() {
                continue;
            }
            let event: Event = serde_json::from_value(shown.clone()).context(page.clone())?;
            assert_eq!(serde_json::to_value(event)?, shown, "{page}");
            events += 1;
        }
    }
    assert!(events >= 7, "{events}");
    Ok(())
}

#[test]
fn every_make_target_in_the_documentation_exists() -> Result<()> {
    let makefile = file("Makefile")?;
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(target, _)| target)
        .collect();
    let mut named = 0;
    for page in pages()? {
        let text = file(&page)?;
        let spans = text.split('`').skip(1).step_by(2).map(str::to_owned);
        for command in spans.chain(code(&text).into_iter().map(|c| c.text)) {
            for line in command.lines().map(|line| line.trim_start_matches("sudo ")) {
                let Some(rest) = line.strip_prefix("make ") else {
                    continue;
                };
                let words = rest.split(['#', '&', ';']).next().unwrap_or_default();
                for target in words
                    .split_whitespace()
                    .filter(|w| w.chars().all(|c| c.is_lowercase() || c == '-'))
                {
                    assert!(targets.contains(target), "{page}: make {target}");
                    named += 1;
                }
            }
        }
    }
    assert!(named > 10, "{named}");
    Ok(())
}

#[test]
fn one_switch_writes_all_that_is_generated() -> Result<()> {
    // In pieces, so that this file is not found.
    let former = [["BELLWETHER_UPDATE", "_"], ["BELLWETHER_WRITE", "_DOCS"]].map(|p| p.concat());
    for path in files("")? {
        let is_text = [".rs", ".md", ".h", ".sh", ".toml", "Makefile"]
            .iter()
            .any(|end| path.ends_with(end));
        if is_text {
            let text = file(&path)?;
            assert!(!former.iter().any(|f| text.contains(f)), "{path}");
        }
    }
    Ok(())
}

/// The commands of this project that the documentation shows, each as its words.
fn commands() -> Result<BTreeSet<Vec<String>>> {
    let mut texts = Vec::new();
    // The changelog names commands as they once were.
    for page in pages()?.iter().filter(|page| *page != "CHANGELOG.md") {
        let text = file(page)?;
        texts.extend(blocks(&text));
        texts.extend(text.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    let mut commands = BTreeSet::new();
    for text in texts {
        for line in text.replace("\\\n", " ").lines() {
            let words = line.split_whitespace();
            let own = words.take_while(|w| !w.starts_with(['#', '|', '>', ';', '&']));
            let words: Vec<String> = own.map(|w| w.trim_end_matches(';').to_owned()).collect();
            let is_ours = |w: &String| w == "bellwether" || w == "bellwether-lab";
            if words.len() > 1 && words.first().is_some_and(is_ours) {
                commands.insert(words);
            }
        }
    }
    Ok(commands)
}

/// The help of a command with the subcommands that `words` begins with.
fn help(folder: &Path, words: &[String]) -> Result<Option<String>> {
    let is_name = |w: &&String| w.chars().all(|c| c.is_lowercase());
    let names: Vec<&String> = words[1..].iter().take(2).take_while(is_name).collect();
    for count in (0..=names.len()).rev() {
        let output = Command::new(folder.join(&words[0]))
            .args(&names[..count])
            .arg("--help")
            .stdin(Stdio::null())
            .output()
            .context(words[0].clone())?;
        if output.status.success() && (count > 0 || names.is_empty()) {
            return Ok(Some(String::from_utf8(output.stdout)?));
        }
    }
    Ok(None)
}

#[test]
fn every_command_in_the_documentation_exists_with_its_options() -> Result<()> {
    let built = Plugin::build()?;
    let commands = commands()?;
    assert!(commands.len() > 25, "{commands:#?}");
    for words in commands {
        if words[1] == "help" {
            continue;
        }
        let help = help(built.folder(), &words)?;
        let help = help.with_context(|| format!("there is no such command: {words:?}"))?;
        for option in words.iter().filter(|w| w.starts_with("--")) {
            let option = option.split('=').next().unwrap_or(option);
            let known =
                help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n"));
            assert!(known, "{option} of {words:?}");
        }
    }
    Ok(())
}

//! The verdicts of language models on log keys: from files, or asked of a server.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use bellwether_core::units::Time;
use bellwether_language_model::{Client, ModelArguments, Origin, Question, Settings, Verdict};
use bellwether_records::command::usage;
use bellwether_records::files::decoded;
use bellwether_records::keys;
use clap::Args;

/// What rows of verdicts without a name are called.
const UNNAMED: &str = "given keys";
/// Maximum number of examples of normal templates.
const EXAMPLES_MAX: usize = 8;

/// Verdicts on log keys, and where to get them.
#[derive(Debug, Args)]
pub struct VerdictsArguments {
    /// CSV file with the columns "key" and "faulty" (true or false): whether records with that key are failures. Keys without a row are
    /// not. Repeat it with names for the verdicts of several language models, which have rows of their own: --verdicts "gpt-4 few-shot=FILE"
    #[arg(long, value_name = "[NAME=]CSV", value_parser = named_verdicts, requires = "keys")]
    pub verdicts: Vec<NamedVerdicts>,

    #[command(flatten)]
    pub model: ModelArguments,

    /// CSV file with the columns "key" and "template": what --language-model is asked about, first with examples of normal templates
    /// (few-shot) and then without (zero-shot); with --zero-shot, only without
    #[arg(
        long,
        value_name = "CSV",
        requires = "keys",
        requires = "language_model"
    )]
    pub templates: Option<PathBuf>,

    /// Write the verdicts of --language-model to CSV files in this folder, to be used as --verdicts
    #[arg(long, value_name = "DIR", requires = "templates")]
    pub write_verdicts: Option<PathBuf>,
}

/// A file of verdicts, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedVerdicts {
    name: Option<String>,
    file: PathBuf,
}

/// `NAME=FILE` or `FILE`.
pub fn named_verdicts(text: &str) -> Result<NamedVerdicts, String> {
    let (name, file) = match text.split_once('=') {
        // What has a slash is the path of a file.
        Some((name, file)) if !name.contains('/') => (Some(name.trim().to_owned()), file),
        _ => (None, text),
    };
    match file.is_empty() || name.as_deref() == Some("") {
        true => Err("it takes FILE or NAME=FILE".into()),
        false => Ok(NamedVerdicts {
            name,
            file: file.into(),
        }),
    }
}

/// The failing keys by each model, with the model's name; `training` is the number of records of a series that are normal.
///
/// # Errors
/// Files that cannot be read, and a language model that cannot be asked.
pub fn verdicts(
    arguments: &VerdictsArguments,
    keys: &Path,
    training: usize,
) -> Result<Vec<(String, HashSet<u64>)>> {
    let mut all = Vec::new();
    for NamedVerdicts { name, file } in &arguments.verdicts {
        let name = name.clone().unwrap_or_else(|| UNNAMED.into());
        all.push((name, keys::verdicts(file)?));
    }
    if let (Some(settings), Some(templates)) = (
        arguments.model.settings().map_err(usage)?,
        &arguments.templates,
    ) {
        let asked = Asked::read(templates, &keys::series(keys)?, training)?;
        let shots: &[bool] = if settings.zero_shot {
            &[true]
        } else {
            &[false, true]
        };
        for &zero_shot in shots {
            let settings = Settings {
                zero_shot,
                ..settings.clone()
            };
            let shots = if zero_shot { "zero-shot" } else { "few-shot" };
            let name = format!("{} {shots}", settings.model);
            let faulty = asked.ask(settings)?;
            if let Some(folder) = &arguments.write_verdicts {
                write(folder, &name, &asked.templates, &faulty)?;
            }
            all.push((name, faulty));
        }
    }
    ensure!(
        !all.is_empty(),
        usage("--keys takes verdicts on them: --verdicts, or --language-model with --templates")
    );
    Ok(all)
}

/// What a model is asked.
struct Asked {
    /// Templates by key.
    templates: BTreeMap<u64, String>,
    /// Number of records by key.
    counts: HashMap<u64, u64>,
    /// Normal templates, those of most records first.
    normal: Vec<String>,
}

impl Asked {
    fn read(file: &Path, series: &BTreeMap<String, Vec<u64>>, training: usize) -> Result<Self> {
        let of_file = || file.display().to_string();
        let mut reader = csv::Reader::from_reader(decoded(file).with_context(of_file)?);
        let header = reader.headers().with_context(of_file)?;
        ensure!(
            header.iter().eq(["key", "template"]),
            "{}: the first line has to be \"key,template\"",
            of_file()
        );
        let templates: BTreeMap<u64, String> = reader
            .deserialize()
            .collect::<Result<_, _>>()
            .with_context(of_file)?;
        let (mut counts, mut normal) = (HashMap::new(), BTreeMap::<u64, u64>::new());
        for keys in series.values() {
            for (at, key) in keys.iter().enumerate() {
                *counts.entry(*key).or_default() += 1;
                if at < training {
                    *normal.entry(*key).or_default() += 1;
                }
            }
        }
        let mut normal: Vec<_> = normal.into_iter().collect();
        normal.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let normal = normal
            .iter()
            .filter_map(|(key, _)| templates.get(key).cloned());
        Ok(Self {
            normal: normal.take(EXAMPLES_MAX).collect(),
            templates,
            counts,
        })
    }

    /// Asks about all templates; what has no answer is not failing, and a warning says so.
    fn ask(&self, settings: Settings) -> Result<HashSet<u64>> {
        let requests = u32::try_from(self.templates.len())?.saturating_add(10);
        let mut client = Client::new(Settings {
            // An evaluation asks about all templates.
            host_templates_per_day: u32::MAX,
            templates_per_day: u32::MAX,
            requests_per_day: u32::MAX,
            total_timeout: settings.request_timeout.saturating_mul(requests),
            ..settings
        })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let questions: Vec<Question<'_>> = self
            .templates
            .iter()
            .map(|(key, template)| Question {
                host: "",
                template,
                program: "",
                count: self.counts.get(key).copied().unwrap_or(0),
                benign: &self.normal,
            })
            .collect();
        let answers = client.ask(Time::from_secs(now), &questions);
        for notice in client.notices() {
            eprintln!("bellwether-lab: {notice}");
        }
        let open = answers
            .iter()
            .filter(|a| a.origin == Origin::Nobody)
            .count();
        if open > 0 {
            eprintln!(
                "bellwether-lab: {}: {open} of {} templates have no answer and count as not failing",
                client.model(),
                answers.len()
            );
        }
        let failing = self.templates.keys().zip(answers);
        let failing = failing.filter(|(_, answer)| answer.verdict == Verdict::Failing);
        Ok(failing.map(|(key, _)| *key).collect())
    }
}

/// Writes verdicts as `NAME.csv` into a folder, in the form in which they are read.
fn write(
    folder: &Path,
    name: &str,
    templates: &BTreeMap<u64, String>,
    faulty: &HashSet<u64>,
) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let file = folder.join(name.trim_start_matches('.').to_owned() + ".csv");
    let mut lines = "key,faulty\n".to_owned();
    for key in templates.keys() {
        lines += &format!("{key},{}\n", faulty.contains(key));
    }
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&file, lines))
        .with_context(|| file.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_have_a_name_or_are_those_of_the_given_keys() {
        let of = |text| named_verdicts(text).map(|v| (v.name, v.file.display().to_string()));
        assert_eq!(of("a.csv"), Ok((None, "a.csv".into())));
        assert_eq!(
            of("gpt 4=a=b.csv"),
            Ok((Some("gpt 4".into()), "a=b.csv".into()))
        );
        assert_eq!(of("/tmp/x=y/a.csv"), Ok((None, "/tmp/x=y/a.csv".into())));
        assert!(of("=a.csv").is_err() && of("name=").is_err() && of("").is_err());
    }

    #[test]
    fn examples_are_the_most_frequent_templates_of_training() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("templates.csv");
        std::fs::write(&file, "key,template\n1,one\n2,two\n3,three\n").unwrap();
        let series = BTreeMap::from([("a".to_owned(), vec![1, 2, 2, 3, 3, 3])]);
        let asked = Asked::read(&file, &series, 3).unwrap();
        assert_eq!(asked.normal, ["two", "one"]);
        assert_eq!(asked.counts[&3], 3);
    }

    #[test]
    fn written_verdicts_are_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let templates = BTreeMap::from([(1, "one".to_owned()), (2, "two".to_owned())]);
        let faulty = HashSet::from([2]);
        write(folder.path(), "../a/b:c few-shot", &templates, &faulty).unwrap();
        let file = folder.path().join("-a-b-c-few-shot.csv");
        assert_eq!(keys::verdicts(&file).unwrap(), faulty);
    }
}

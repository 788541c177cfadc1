//! Finds the files of logs: which files of a folder are logs, which are the rotated parts of one, and which hold one host's records.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::decompress::STDIN;
use crate::files::{plain, stem};

/// The endings of the names of log files, also before those of rotated and of compressed files.
pub const ENDINGS: &[&str] = &[".log", ".txt"];
/// The names of the files into which a syslog daemon sorts a host's records, without ".log".
const SYSLOG: [&str; 24] = [
    "syslog", "messages", "kern", "kernel", "daemon", "user", "debug", "warn", "warning", "err",
    "error", "info", "auth", "authpriv", "secure", "cron", "local0", "local1", "local2", "local3",
    "local4", "local5", "local6", "local7",
];
/// Names of logs that have no ending.
const BARE: [&str; 5] = ["dmesg", "boot", "maillog", "console", "everything"];
/// How deep folders are searched.
const DEPTH_MAX: usize = 16;
/// The name of what comes from the standard input.
const STDIN_NAME: &str = "stdin";

/// One file of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is; "-" is the standard input.
    pub path: PathBuf,
    /// The name of its series.
    pub series: String,
    /// It was named by its own path, not by that of a folder.
    pub is_named: bool,
}

/// A log: its files, of which all but the last were rotated, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The name of its stream, for records that name no host.
    pub name: String,
    /// Its files; not empty.
    pub files: Vec<LogFile>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Logs to read together, merged by time: those of a host that its syslog daemon keeps in one folder. All others are alone.
    pub groups: Vec<Vec<Log>>,
    /// What was left out, for the user.
    pub warnings: Vec<String>,
}

/// The log files that `paths` name; a folder names those in it and in its folders, sorted by name.
///
/// # Errors
/// A path that does not exist, and a folder without a log file.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let (files, _) = search(paths)?;
    Ok(files.into_iter().map(|(file, _)| file).collect())
}

/// The files, each with whether it was named by its own path.
type Named = Vec<(PathBuf, bool)>;

/// The files that `paths` name, and what was left out, for the user.
fn search(paths: &[PathBuf]) -> Result<(Named, Vec<String>)> {
    let (mut files, mut warnings) = (Vec::new(), Vec::new());
    for path in paths {
        let of_path = || path.display().to_string();
        if path.as_os_str() == STDIN || !path.metadata().with_context(of_path)?.is_dir() {
            files.push((path.clone(), true));
            continue;
        }
        let mut folder = Folder::default();
        folder.search(path, 0)?;
        if let Some(journal) = folder.journals.first().and_then(|journal| journal.parent()) {
            let count = folder.journals.len();
            let hint = journal_hint(journal);
            ensure!(
                !folder.files.is_empty(),
                "{}: only binary journals of systemd ({count}); {hint}",
                of_path()
            );
            warnings.push(format!(
                "{}: binary journals of systemd that were not read: {count}; {hint}",
                of_path()
            ));
        }
        ensure!(
            !folder.files.is_empty(),
            "{}: no log file in this folder: none is named *.log, *.txt, syslog, messages and the like, also rotated and compressed",
            of_path()
        );
        folder.files.sort();
        files.extend(folder.files.into_iter().map(|file| (file, false)));
    }
    Ok((files, warnings))
}

/// How to read the binary journals in a folder.
pub fn journal_hint(folder: &Path) -> String {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    format!(
        "read them with: journalctl -o json -D {} | bellwether replay logs -",
        folder.display()
    )
}

/// What is in a folder and below.
#[derive(Default)]
struct Folder {
    files: Vec<PathBuf>,
    journals: Vec<PathBuf>,
    /// Files that were found, by where they truly are: folders of links name files again.
    seen: HashSet<PathBuf>,
}

impl Folder {
    fn search(&mut self, folder: &Path, depth: usize) -> Result<()> {
        let of_path = || folder.display().to_string();
        let entries = folder.read_dir().with_context(of_path)?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()
            .with_context(of_path)?;
        paths.sort();
        for path in paths {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with('.') {
                continue;
            }
            // A link to a folder may lead anywhere, also back.
            if path.is_dir() {
                if depth < DEPTH_MAX && !path.is_symlink() {
                    self.search(&path, depth + 1)?;
                }
            } else if !path.is_file() {
            } else if name.ends_with(".journal") || name.ends_with(".journal~") {
                self.journals.push(path);
            } else if is_log(&name)
                && self
                    .seen
                    .insert(path.canonicalize().unwrap_or_else(|_| path.clone()))
            {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

/// Whether a file of this name is a log.
fn is_log(name: &str) -> bool {
    let (base, _) = rotation(plain(name));
    ENDINGS.iter().any(|ending| base.ends_with(ending))
        || SYSLOG.contains(&base)
        || BARE.contains(&base)
}

/// Where a file stands among the rotated ones of its log, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// By a date in its name.
    Dated(String),
    /// By a number: the higher, the older.
    Numbered(Reverse<u64>),
    Old,
    /// It is written to.
    Current,
}

/// A name without what rotating it has added ("syslog.1", "messages-20260101", "kern.log-2026-01-01.gz", "x.log.old"), and its age.
fn rotation(name: &str) -> (&str, Age) {
    if let Some(base) = name.strip_suffix(".old") {
        return (base, Age::Old);
    }
    let is_date = |c: char| c.is_ascii_digit() || "-_.".contains(c);
    let begin = name.trim_end_matches(is_date);
    let suffix = &name[begin.len()..];
    let Some(rest) = suffix
        .strip_prefix(['.', '-'])
        .filter(|_| !begin.is_empty())
    else {
        return (name, Age::Current);
    };
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    // "20260101", perhaps with the time, also with separators.
    if digits.len() >= 8 && (digits.starts_with("19") || digits.starts_with("20")) {
        return (begin, Age::Dated(digits));
    }
    match rest.parse() {
        Ok(number) if suffix.starts_with('.') && rest.len() <= 4 => {
            (begin, Age::Numbered(Reverse(number)))
        }
        _ => (name, Age::Current),
    }
}

/// The name of the series in a file: the file's name without its folder and endings, "__" read as "/".
pub fn series(file: &Path) -> String {
    if file.as_os_str() == STDIN {
        return STDIN_NAME.to_owned();
    }
    stem(file, ENDINGS).replace("__", "/")
}

/// The logs that `paths` name, in the order of their first files. Rotated files of one log are put in the order of their times.
///
/// # Errors
/// A path that does not exist or is named twice, and a folder without a log file.
pub fn find(paths: &[PathBuf]) -> Result<Found> {
    let (files, warnings) = search(paths)?;
    let mut seen = HashSet::new();
    for (file, _) in &files {
        if !seen.insert(file) {
            bail!("{}: it is named twice", file.display());
        }
    }
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (file, _) in &files {
        *counts.entry(series(file)).or_default() += 1;
    }
    // By folder and name without what rotating has added.
    let mut logs: Vec<(PathBuf, Vec<(Age, LogFile)>)> = Vec::new();
    let mut at: HashMap<PathBuf, usize> = HashMap::new();
    for (path, is_named) in files {
        let series = match series(&path) {
            // Two files of one name are told apart by their folders.
            name if counts[&name] > 1 => path.display().to_string(),
            name => name,
        };
        let name = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy();
        let (base, age) = rotation(plain(&name));
        let base = path.with_file_name(base);
        let at = *at.entry(base.clone()).or_insert_with(|| {
            logs.push((base, Vec::new()));
            logs.len() - 1
        });
        logs[at].1.push((
            age,
            LogFile {
                path,
                series,
                is_named,
            },
        ));
    }
    let mut groups: Vec<Vec<Log>> = Vec::new();
    let mut of_folder: HashMap<PathBuf, usize> = HashMap::new();
    for (base, mut files) in logs {
        files.sort_by(|a, b| a.0.cmp(&b.0));
        let files: Vec<LogFile> = files.into_iter().map(|(_, file)| file).collect();
        let name = match &files[..] {
            [file] => file.series.clone(),
            _ => series(&base),
        };
        let log = Log { name, files };
        if !SYSLOG.contains(&&*stem(&base, &[".log"])) {
            groups.push(vec![log]);
            continue;
        }
        let folder = base.parent().unwrap_or(&base).to_owned();
        match of_folder.get(&folder) {
            Some(at) => groups[*at].push(log),
            None => {
                of_folder.insert(folder, groups.len());
                groups.push(vec![log]);
            }
        }
    }
    Ok(Found { groups, warnings })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The groups of logs in a folder of these files, each log as the names of its files.
    fn groups(names: &[&str]) -> Vec<Vec<Vec<String>>> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = find(&[folder.path().to_owned()]).unwrap();
        assert!(found.warnings.is_empty());
        let name = |file: &LogFile| {
            file.path
                .strip_prefix(folder.path())
                .unwrap()
                .display()
                .to_string()
        };
        let names = |log: &Log| log.files.iter().map(name).collect();
        found
            .groups
            .iter()
            .map(|group| group.iter().map(names).collect())
            .collect()
    }

    #[test]
    fn the_files_of_a_syslog_daemon_are_one_host_s_and_rotated_ones_are_in_the_order_of_time() {
        let found = groups(&[
            "kern.log",
            "kern.log.1",
            "kern.log.10.gz",
            "kern.log.2.gz",
            "syslog",
            "messages",
            "messages-20260101.xz",
            "messages-20251201.zst",
            "btmp",
            "lastlog",
            "notes.md",
            ".hidden.log",
            "libvirt/qemu/vm1.log",
            "libvirt/libvirtd.log",
            "hv2/syslog",
            "dmesg",
            "dmesg.0",
            "x__2024-02-05_01.log.gz",
        ]);
        let found: Vec<Vec<String>> = found
            .into_iter()
            .map(|group| group.into_iter().map(|log| log.join(" ")).collect())
            .collect();
        let expected: [&[&str]; 6] = [
            &["dmesg.0 dmesg"],
            &["hv2/syslog"],
            &[
                "kern.log.10.gz kern.log.2.gz kern.log.1 kern.log",
                "messages-20251201.zst messages-20260101.xz messages",
                "syslog",
            ],
            &["libvirt/libvirtd.log"],
            &["libvirt/qemu/vm1.log"],
            &["x__2024-02-05_01.log.gz"],
        ];
        let mut found: Vec<Vec<&str>> = found
            .iter()
            .map(|group| group.iter().map(|log| &**log).collect())
            .collect();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn rotating_adds_numbers_and_dates() {
        for (name, base) in [
            ("syslog.1", "syslog"),
            ("messages-20260101", "messages"),
            ("kern.log-2026-01-01", "kern.log"),
            ("a.log-20260101-1767225600", "a.log"),
            ("a.log.old", "a.log"),
            ("a.log", "a.log"),
            ("host-01", "host-01"),
            ("hdd-2024-02-05.log", "hdd-2024-02-05.log"),
            ("20260101", "20260101"),
        ] {
            assert_eq!(rotation(name).0, base, "{name}");
        }
    }

    #[test]
    fn series_have_the_names_of_their_files_and_of_their_folders_where_these_are_the_same() {
        assert_eq!(series(Path::new("logs/hdd__2024_x.log.gz")), "hdd/2024_x");
        assert_eq!(series(Path::new("messages.zst")), "messages");
        assert_eq!(series(Path::new("-")), "stdin");
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a/syslog", "b/syslog", "b/x.log"].map(|name| folder.path().join(name));
        for path in &paths {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = find(&paths).unwrap();
        let series: Vec<&str> = found
            .groups
            .iter()
            .map(|group| &*group[0].files[0].series)
            .collect();
        assert_eq!(
            series,
            [
                &*paths[0].to_string_lossy(),
                &paths[1].to_string_lossy(),
                "x"
            ]
        );
        let twice = [paths[0].clone(), paths[0].clone()];
        assert!(
            find(&twice)
                .unwrap_err()
                .to_string()
                .contains("named twice")
        );
    }

    #[test]
    fn binary_journals_are_pointed_to_journalctl() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("system.journal"), "").unwrap();
        let paths = [folder.path().to_owned()];
        let hint = format!(
            "journalctl -o json -D {} | bellwether replay logs -",
            folder.path().display()
        );
        let error = find(&paths).unwrap_err().to_string();
        assert!(error.contains(&hint), "{error}");
        fs::write(folder.path().join("syslog"), "").unwrap();
        let found = find(&paths).unwrap();
        assert!(found.warnings[0].contains(&hint) && found.groups.len() == 1);
        fs::remove_file(folder.path().join("syslog")).unwrap();
        fs::remove_file(folder.path().join("system.journal")).unwrap();
        let error = find(&paths).unwrap_err().to_string();
        assert!(error.contains("no log file"), "{error}");
    }

    #[test]
    fn links_do_not_lead_in_circles_or_to_a_file_twice() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.log"), "").unwrap();
        std::os::unix::fs::symlink(folder.path().join("a.log"), folder.path().join("b.log"))
            .unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
        assert_eq!(find(&[folder.path().to_owned()]).unwrap().groups.len(), 1);
    }
}

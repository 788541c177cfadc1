//! Which files a command line names, what form each has, and which are read together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use super::collectd;
use super::csv::{delimiter, is_time, is_value};
use super::labels::Labels;
use super::reading::{METRICS, Reading};
use crate::files::{decoded, plain, stem};

/// What is read of a file to recognize its form.
const HEAD_BYTES: u64 = 1 << 16;
/// The endings of the names of files with metrics, also before the ending of a compressed file.
pub const ENDINGS: [&str; 5] = [".csv", ".json", ".xml", ".tsv", ".txt"];
/// A file that the laboratory writes beside metrics, and that has none.
const LABELS_FILE: &str = "labels.json";

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// CSV with a column a VM.
    Wide,
    /// CSV with a column a series, which its labels name.
    WideLabeled,
    /// CSV with a line a sample.
    Long,
    /// CSV with a column of times and one of values.
    Single,
    /// A file of collectd's `csv` plugin.
    Collectd,
    /// Answers of Prometheus, or `rrdtool xport --json`.
    Json,
    /// What promtool prints.
    Promtool,
    /// `rrdtool dump` or `rrdtool xport`, with this number of series.
    RrdXml(usize),
    /// `rrdtool fetch`, with this number of series.
    RrdFetched(usize),
}

impl Form {
    /// Whether a file holds one series, of a VM that the file is named after.
    fn is_of_one_vm(self) -> bool {
        matches!(self, Self::Single | Self::RrdXml(1) | Self::RrdFetched(1))
    }
}

/// A file, and what its place says about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Where it is.
    pub path: PathBuf,
    /// Its form.
    pub form: Form,
    /// The metric, by the name of a folder or file.
    pub metric: Option<String>,
    /// The hypervisor, unless the file names it.
    pub hypervisor: String,
    /// The VM, where the file is of one.
    pub vm: Option<String>,
    /// What a file of collectd is.
    pub collectd: Option<collectd::Kind>,
}

/// Files that are read together: those of one hypervisor, or one file that may hold several.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The files.
    pub members: Vec<Member>,
    /// The folder whose hypervisors are one fleet, if the whole folder was named, and not as a set of cases of the laboratory, which
    /// have nothing in common.
    pub fleet: Option<PathBuf>,
}

impl Group {
    /// The files, for messages: their names or, of many, the folder of the first.
    pub fn place(&self) -> String {
        let first = &self.members[0].path;
        match self.members.len() {
            1 => first.display().to_string(),
            2..=4 => {
                let paths = self.members.iter().map(|m| m.path.display().to_string());
                paths.collect::<Vec<_>>().join(" and ")
            }
            n => format!("{} and {} more files", first.display(), n - 1),
        }
    }

    /// The paths of its files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.members.iter().map(|member| member.path.as_path())
    }
}

/// What a command line names.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that are read together, in the order in which they were named.
    pub groups: Vec<Group>,
    /// What was left out.
    pub warnings: Vec<String>,
}

impl Found {
    /// The paths of all files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.groups
            .iter()
            .flat_map(Group::paths)
            .map(Path::to_owned)
            .collect()
    }
}

/// Finds the recordings that `paths` name.
///
/// A folder names the files directly in it; or its folders, where these are named after metrics; or what collectd wrote there. Files of
/// one name in folders of several metrics are of one hypervisor. The hypervisors of a folder are one fleet; all of its files name it,
/// too.
///
/// # Errors
/// A path that does not exist, a folder without metrics, a file of no known form, two files of one hypervisor and metric.
pub fn find(paths: &[PathBuf], reading: &Reading) -> Result<Found> {
    let mut finder = Finder {
        reading,
        found: Found::default(),
        keys: HashMap::new(),
        fleet: None,
    };
    let whole = whole_folders(paths)?;
    for path in paths {
        let is_folder = path
            .metadata()
            .with_context(|| path.display().to_string())?
            .is_dir();
        let folder = if is_folder {
            path.clone()
        } else {
            parent_of(path)
        };
        let is_fleet = (is_folder || whole.contains(&folder)) && !folder.join(LABELS_FILE).exists();
        finder.fleet = is_fleet.then_some(folder);
        if is_folder {
            finder.folder(path)?;
        } else {
            finder.file(path, None)?;
        }
    }
    Ok(finder.found)
}

/// What files are put together by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Files of one name: of a hypervisor.
    Stem(String),
    /// A folder of files of one VM each.
    Folder(PathBuf),
    /// A hypervisor of collectd.
    Collectd(PathBuf, String),
}

struct Finder<'a> {
    reading: &'a Reading,
    found: Found,
    keys: HashMap<Key, usize>,
    /// The fleet of what is found now.
    fleet: Option<PathBuf>,
}

/// The folders of which `paths` name every file of metrics, as a shell does it for *.csv.
fn whole_folders(paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let mut named: BTreeMap<PathBuf, BTreeSet<OsString>> = BTreeMap::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default().to_owned();
        named.entry(parent_of(path)).or_default().insert(name);
    }
    let mut whole = BTreeSet::new();
    for (folder, names) in named {
        let mut is_whole = names.len() > 1;
        for entry in folder
            .read_dir()
            .with_context(|| folder.display().to_string())?
        {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            let is_one = path.is_file() && is_of_metrics(&name_of(&path));
            is_whole &= !is_one || names.contains(path.file_name().unwrap_or_default());
        }
        if is_whole {
            whole.insert(folder);
        }
    }
    Ok(whole)
}

/// Whether a file of this name, in a folder that was named, may be one of metrics.
fn is_of_metrics(name: &str) -> bool {
    let name = plain(name);
    name != LABELS_FILE && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

impl Finder<'_> {
    fn is_metric(&self, name: &str) -> bool {
        METRICS.contains(&name) || self.reading.metrics.iter().any(|metric| metric == name)
    }

    fn folder(&mut self, folder: &Path) -> Result<()> {
        let of_folder = || folder.display().to_string();
        if self.collectd(folder)? {
            return Ok(());
        }
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in folder.read_dir().with_context(of_folder)? {
            let path = entry.with_context(of_folder)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_of_metrics(&name_of(&path)) {
                files.push(path);
            }
        }
        files.sort();
        folders.sort();
        let groups = self.found.groups.len();
        for file in &files {
            self.file(file, Some(folder))?;
        }
        if self.found.groups.len() > groups
            || self.keys.values().any(|at| *at < groups) && !files.is_empty()
        {
            return Ok(());
        }
        let (metrics, others): (Vec<_>, Vec<_>) = folders
            .into_iter()
            .partition(|path| self.is_metric(&name_of(path)));
        for metric in &metrics {
            self.folder(metric)?;
        }
        if metrics.is_empty() {
            let hint = match others.first() {
                Some(other) => format!(
                    "; its folder {} is named after no metric ({}, or one of --set metrics=...) and holds no hosts of collectd",
                    name_of(other),
                    METRICS.join(", ")
                ),
                None => String::new(),
            };
            bail!(
                "{}: no file named *.csv or *.csv.gz, *.json, *.xml or *.txt with metrics in this folder{hint}",
                of_folder()
            );
        }
        Ok(())
    }

    /// Takes a folder of collectd: of a host, or of all hosts. Returns whether it is one.
    fn collectd(&mut self, folder: &Path) -> Result<bool> {
        let mut hosts = vec![folder.to_owned()];
        if collectd::vm_folders(folder)?.is_empty() {
            hosts.clear();
            for entry in folder
                .read_dir()
                .with_context(|| folder.display().to_string())?
            {
                let path = entry.with_context(|| folder.display().to_string())?.path();
                match path.is_dir().then(|| collectd::vm_folders(&path)) {
                    Some(Ok(folders)) if !folders.is_empty() => hosts.push(path),
                    Some(Err(error)) => {
                        self.found
                            .warnings
                            .push(format!("{error:#}; it is left out"));
                    }
                    _ => {}
                }
            }
        }
        hosts.sort();
        let mut is_any = false;
        for host in &hosts {
            for (vm_folder, _) in collectd::vm_folders(host)? {
                let mut files = Vec::new();
                for entry in vm_folder
                    .read_dir()
                    .with_context(|| vm_folder.display().to_string())?
                {
                    files.push(
                        entry
                            .with_context(|| vm_folder.display().to_string())?
                            .path(),
                    );
                }
                files.sort();
                // Where the counter is, the percentage of it would count twice.
                let is_counter = |file: &PathBuf| {
                    collectd::Kind::of(file)
                        .is_some_and(|(kind, _)| kind.metric == "cpu" && kind.is_counter)
                };
                let has_counter = files.iter().any(is_counter);
                for file in files {
                    match collectd::Kind::of(&file) {
                        Some((kind, _))
                            if kind.metric == "cpu" && has_counter && !kind.is_counter => {}
                        Some(_) => {
                            self.file(&file, None)?;
                            is_any = true;
                        }
                        None => {}
                    }
                }
            }
        }
        Ok(is_any)
    }

    /// Takes a file that was named, or that is in `folder`, where what is no recording is left out.
    fn file(&mut self, path: &Path, folder: Option<&Path>) -> Result<()> {
        if let Some((member, key)) = of_collectd(path)? {
            return self.add(member, key);
        }
        // A name such as notes.txt promises nothing.
        let may_be_left_out = folder.is_some() && !plain(&name_of(path)).ends_with(".csv");
        let form = match recognize(path, may_be_left_out) {
            Ok(form) => form,
            Err(error) if may_be_left_out => {
                self.found
                    .warnings
                    .push(format!("{error:#}; it is left out"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let parent = parent_of(path);
        let parent_name = name_of(&parent);
        let own = stem(path, &ENDINGS);
        let metric = [parent_name.as_str(), own.as_str()]
            .into_iter()
            .find(|name| self.is_metric(name))
            .map(str::to_owned);
        let (hypervisor, vm, key) = if form.is_of_one_vm() {
            // Between the hypervisor's folder and the VM's file there may be one of the metric.
            let host = if self.is_metric(&parent_name) {
                parent_of(&parent)
            } else {
                parent
            };
            (name_of(&host), Some(own), Key::Folder(host))
        } else {
            (own.clone(), None, Key::Stem(own))
        };
        let member = Member {
            path: path.to_owned(),
            form,
            metric,
            hypervisor,
            vm,
            collectd: None,
        };
        self.add(member, key)
    }

    fn add(&mut self, member: Member, key: Key) -> Result<()> {
        let is_stem = matches!(key, Key::Stem(_));
        let at = *self.keys.entry(key).or_insert_with(|| {
            self.found.groups.push(Group {
                members: Vec::new(),
                fleet: self.fleet.clone(),
            });
            self.found.groups.len() - 1
        });
        let members = &mut self.found.groups[at].members;
        if is_stem
            && let Some(other) = members
                .iter()
                .find(|m| m.metric.is_none() || m.metric == member.metric)
        {
            bail!(
                "{} and {} are both of the hypervisor \"{}\"; rename one of them, or put them into folders that are named after their \
                 metrics ({})",
                other.path.display(),
                member.path.display(),
                member.hypervisor,
                METRICS.join(", ")
            );
        }
        ensure!(
            members.iter().all(|m| m.path != member.path),
            "{} is there twice",
            member.path.display()
        );
        members.push(member);
        Ok(())
    }
}

/// A file in the folder of a VM as collectd's plugins lay them out, and what it is put together with.
fn of_collectd(path: &Path) -> Result<Option<(Member, Key)>> {
    let folder = parent_of(path);
    let folder_name = name_of(&folder);
    let vm = match folder_name.strip_prefix("virt") {
        Some("") => "",
        Some(rest) if rest.starts_with('-') => &rest[1..],
        _ => return Ok(None),
    };
    let Some((kind, _)) = collectd::Kind::of(path) else {
        return Ok(None);
    };
    let host = parent_of(&folder);
    let host_name = name_of(&host);
    // As the plugin has it: without another name of a VM, the host is the VM, and its hypervisor the machine that collects.
    let (hypervisor, vm, place) = if vm.is_empty() || vm == host_name {
        let collector = parent_of(&host);
        (name_of(&collector), host_name, collector)
    } else {
        (host_name, vm.to_owned(), host)
    };
    let member = Member {
        path: path.to_owned(),
        form: match recognize(path, false)? {
            Form::Single => Form::Collectd,
            form => form,
        },
        metric: Some(kind.metric.to_owned()),
        hypervisor: hypervisor.clone(),
        vm: Some(vm),
        collectd: Some(kind),
    };
    Ok(Some((member, Key::Collectd(place, hypervisor))))
}

fn name_of(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The folder that a path is in, with its own name where the path is relative.
fn parent_of(path: &Path) -> PathBuf {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    if parent.file_name().is_some() {
        return parent.to_owned();
    }
    parent.canonicalize().unwrap_or_else(|_| parent.to_owned())
}

/// The form of a file, by its content. What has no other form is CSV with a column a VM, unless `strict` asks for the header of that.
///
/// # Errors
/// A file that cannot be read, or has no known form: what it looks like, and what would be right.
pub fn recognize(path: &Path, strict: bool) -> Result<Form> {
    let of_path = || path.display().to_string();
    let mut head = Vec::new();
    let reader = decoded(path).with_context(of_path)?;
    reader
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .with_context(of_path)?;
    form_of(&head, strict).with_context(of_path)
}

fn form_of(head: &[u8], strict: bool) -> Result<Form> {
    if head.starts_with(b"RRD\0") {
        bail!("it is a round-robin database in binary; it takes what \"rrdtool dump FILE\" prints");
    }
    if head.contains(&0) {
        bail!(
            "it is binary; it takes metrics as CSV, JSON of Prometheus, or text or XML of rrdtool"
        );
    }
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches('\u{feff}');
    let trimmed = text.trim_start();
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    if trimmed.starts_with('<') {
        return form_of_xml(trimmed);
    }
    if is_json(trimmed) {
        const KEYS: [&str; 5] = [
            "\"metric\"",
            "\"resultType\"",
            "\"result\"",
            "\"status\"",
            "\"legend\"",
        ];
        ensure!(
            KEYS.iter().any(|key| trimmed.contains(key)) || trimmed.starts_with("[]"),
            "it is JSON, but no answer of Prometheus to a range query (/api/v1/query_range) and no export of rrdtool"
        );
        return Ok(Form::Json);
    }
    let may_be_promtool = first.starts_with('#') || first.contains("} ") || first.ends_with("=>");
    if may_be_promtool && let Some(form) = form_of_promtool(trimmed)? {
        return Ok(form);
    }
    if let Some(sources) = fetched(first, lines.next()) {
        return Ok(Form::RrdFetched(sources));
    }
    // A line for spreadsheets may name the separator; the columns come after it.
    let names = text
        .lines()
        .find(|line| !line.trim().is_empty() && !line.trim().starts_with("sep="));
    let form = form_of_csv(names.unwrap_or(first));
    ensure!(
        form.is_some() || !strict,
        "it has none of the forms of metrics: its first line does not begin with \"t\" or \"time\""
    );
    // Whoever named the file is to hear what its first line lacks.
    Ok(form.unwrap_or(Form::Wide))
}

fn is_json(text: &str) -> bool {
    if text.starts_with('[') {
        return true;
    }
    let Some(inside) = text.strip_prefix('{').map(str::trim_start) else {
        return false;
    };
    // A name in quotation marks is a key before a colon, and a label before "=".
    let key = inside.strip_prefix('"').and_then(|key| key.split_once('"'));
    inside.starts_with('}') || key.is_some_and(|(_, after)| after.trim_start().starts_with(':'))
}

fn form_of_xml(text: &str) -> Result<Form> {
    if text.contains("<xport") {
        return Ok(Form::RrdXml(text.matches("<entry>").count()));
    }
    let (definitions, _) = text.split_once("<rra>").unwrap_or((text, ""));
    ensure!(
        definitions.contains("<rrd>"),
        "it is XML, but none of \"rrdtool dump\" or \"rrdtool xport\""
    );
    Ok(Form::RrdXml(definitions.matches("<ds>").count()))
}

fn form_of_promtool(text: &str) -> Result<Option<Form>> {
    let Some(line) = text
        .lines()
        .find(|line| !line.starts_with('#') && !line.trim().is_empty())
    else {
        return Ok(None);
    };
    let Some((_, rest)) = Labels::parse(line.trim()) else {
        return Ok(None);
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    match words[..] {
        ["=>", ..] | [_, _] => Ok(Some(Form::Promtool)),
        [value] if value.parse::<f64>().is_ok() => bail!(
            "it is a single scrape of an exporter, without times; it takes the answer to a range query (/api/v1/query_range)"
        ),
        _ => Ok(None),
    }
}

/// The number of data sources of `rrdtool fetch`: names behind blanks, then lines that begin with a time and a colon.
fn fetched(first: &str, second: Option<&str>) -> Option<usize> {
    let (time, _) = second?.split_once(':')?;
    let is_time = time.len() >= 8 && time.bytes().all(|byte| byte.is_ascii_digit());
    let names = first.split_whitespace().count();
    (is_time && names > 0 && !first.contains(',')).then_some(names)
}

/// The form of a CSV file by its first line; `None` without a column of rows or times.
fn form_of_csv(first: &str) -> Option<Form> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .delimiter(delimiter(first))
        .from_reader(first.as_bytes());
    let mut names = csv::StringRecord::new();
    if !matches!(reader.read_record(&mut names), Ok(true)) {
        return None;
    }
    if &names[0] == "t" {
        return Some(Form::Wide);
    }
    let (has_time, has_value) = (names.iter().any(is_time), names.iter().any(is_value));
    let is_series = |name: &str| {
        name.contains('{') && Labels::parse(name).is_some_and(|(_, rest)| rest.is_empty())
    };
    let all: Vec<&str> = names.iter().collect();
    let is_of_two = matches!(all[..], ["epoch", "read", "write"] | ["epoch", "rx", "tx"]);
    if names.len() == 2 && has_time && has_value || is_of_two {
        Some(Form::Single)
    } else if has_time && has_value {
        Some(Form::Long)
    } else if !is_time(&names[0]) {
        None
    } else if names.iter().skip(1).any(is_series) {
        Some(Form::WideLabeled)
    } else {
        Some(Form::Wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_recognized_by_content() {
        for (text, form) in [
            ("", Form::Wide),
            ("t,a,b\n0,1,2\n", Form::Wide),
            ("\u{feff}\"Time\",\"a\",\"b\"\n", Form::Wide),
            ("Time;a;b\n", Form::Wide),
            (
                "\"Time\",\"{domain=\"\"a\"\", instance=\"\"hv1\"\"}\"\n",
                Form::WideLabeled,
            ),
            ("time,domain,instance,value\n", Form::Long),
            ("\"Time\",\"Metric\",\"Value\"\n", Form::Long),
            ("epoch,value\n", Form::Single),
            ("epoch,read,write\n", Form::Single),
            ("sep=,\n\"Time\",\"Metric\",\"Value\"\n", Form::Long),
            ("{\"status\":\"success\"}", Form::Json),
            ("[{\"metric\":{}}]", Form::Json),
            (
                "{ \"about\": \"RRDtool\", \"meta\": {\"legend\": []}}",
                Form::Json,
            ),
            ("{domain=\"a\"} =>\n1 @[1]\n", Form::Promtool),
            (
                "{__name__=\"cpu\", domain=\"a\"} 1 1772496000000\n",
                Form::Promtool,
            ),
            (
                "# TYPE cpu gauge\ncpu{domain=\"a\"} 1 1772496000\n",
                Form::Promtool,
            ),
            (
                "<?xml version=\"1.0\"?><rrd><ds></ds><ds></ds><rra><ds>",
                Form::RrdXml(2),
            ),
            ("<xport><legend><entry>a</entry></legend>", Form::RrdXml(1)),
            ("      value\n\n1772496060: 1\n", Form::RrdFetched(1)),
        ] {
            assert_eq!(form_of(text.as_bytes(), false).unwrap(), form, "{text}");
        }
    }

    #[test]
    fn what_is_no_recording_says_what_would_be_right() {
        for (content, says) in [
            (&b"RRD\x000003"[..], "rrdtool dump"),
            (b"\x7fELF\0\0", "it is binary"),
            (b"{\"hypervisors\": {}}", "no answer of Prometheus"),
            (b"<html></html>", "none of \"rrdtool dump\""),
            (b"# HELP cpu x\ncpu{domain=\"a\"} 1\n", "range query"),
        ] {
            let error = form_of(content, false).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    fn files(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let content = if name.contains("virt") {
                "epoch,value\n1.0,2\n"
            } else {
                "t,a\n0,1\n"
            };
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    fn groups(folder: &Path) -> Vec<Vec<(String, Option<String>)>> {
        let found = find(&[folder.to_owned()], &Reading::default()).unwrap();
        let of_member = |m: &Member| (m.hypervisor.clone(), m.metric.clone());
        found
            .groups
            .iter()
            .map(|g| g.members.iter().map(of_member).collect())
            .collect()
    }

    #[test]
    fn folders_of_metrics_are_put_together_by_hypervisor() {
        let folder = files(&[
            "cpu/hv1.csv",
            "cpu/hv2.csv",
            "disk_ops/hv1.csv",
            "labels.json",
        ]);
        let of = |hv: &str, metric: &str| (hv.to_owned(), Some(metric.to_owned()));
        assert_eq!(
            groups(folder.path()),
            [
                vec![of("hv1", "cpu"), of("hv1", "disk_ops")],
                vec![of("hv2", "cpu")]
            ]
        );
        let declared = Reading {
            metrics: vec!["monday".into(), "tuesday".into()],
            ..Reading::default()
        };
        let days = files(&["monday/hv1.csv", "tuesday/hv1.csv"]);
        let all = [days.path().to_owned()];
        assert_eq!(find(&all, &declared).unwrap().groups.len(), 1);
        let error = find(&all, &Reading::default()).unwrap_err().to_string();
        assert!(
            error.contains("monday is named after no metric (cpu, disk_ops"),
            "{error}"
        );
        let both = [days.path().join("monday"), days.path().join("tuesday")];
        let error = find(&both, &Reading::default()).unwrap_err().to_string();
        assert!(error.contains("both of the hypervisor \"hv1\""), "{error}");
    }

    #[test]
    fn folders_of_collectd_are_read_as_the_plugin_reads_values() {
        let by_host = files(&[
            "hv1/virt-a/virt_cpu_total-2026-03-03",
            "hv1/virt-a/virt_cpu_total-2026-03-04",
            "hv1/virt-b/disk_ops-vda-2026-03-03",
            "hv1/virt-a/percent-virt_cpu_total-2026-03-03",
            "hv2/virt-c/virt_cpu_total-2026-03-03",
            "hv2/memory/memory-free-2026-03-03",
        ]);
        let found = find(&[by_host.path().to_owned()], &Reading::default()).unwrap();
        let sizes: Vec<usize> = found.groups.iter().map(|g| g.members.len()).collect();
        assert_eq!(sizes, [3, 1], "{found:?}");
        let first = &found.groups[0].members[0];
        assert_eq!(
            (&*first.hypervisor, first.vm.as_deref()),
            ("hv1", Some("a"))
        );
        assert_eq!(first.form, Form::Collectd);
        let by_vm = files(&[
            "here/a/virt/virt_cpu_total-2026-03-03",
            "here/b/virt-b/virt_cpu_total-2026-03-03",
        ]);
        let found = find(&[by_vm.path().join("here")], &Reading::default()).unwrap();
        let vms: Vec<_> = found.groups[0]
            .members
            .iter()
            .map(|m| (&*m.hypervisor, m.vm.as_deref()))
            .collect();
        assert_eq!(vms, [("here", Some("a")), ("here", Some("b"))]);
    }

    #[test]
    fn a_file_beside_recordings_that_is_none_is_left_out_with_a_warning() {
        let folder = files(&["hv1.csv", "labels.json"]);
        std::fs::write(folder.path().join("notes.json"), "{\"a\": 1}").unwrap();
        std::fs::write(
            folder.path().join("readme.txt"),
            "What was recorded here.\n",
        )
        .unwrap();
        let found = find(&[folder.path().to_owned()], &Reading::default()).unwrap();
        assert_eq!(found.groups.len(), 1);
        assert!(found.warnings[0].contains("notes.json") && found.warnings[0].contains("left out"));
        assert!(
            found.warnings[1].contains("readme.txt"),
            "{:?}",
            found.warnings
        );
        let error = find(&[folder.path().join("notes.json")], &Reading::default());
        assert!(error.is_err(), "a file that was named is not left out");
    }
}

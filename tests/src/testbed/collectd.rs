//! A real collectd with the bellwether plugin, and what it wrote: values by its csv plugin, notifications by its exec
//! plugin.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::capabilities::{CollectdInstallation, is_root};
use super::plugin::Plugin;
use super::process::{self, Processes};

/// Where collectd's values come from.
#[derive(Debug, Clone)]
pub enum Input {
    /// The virt plugin, which asks this libvirt socket.
    Libvirt(PathBuf),
    /// Values that [`Collectd::feed`] puts through the unixsock plugin.
    Fed,
}

/// A running collectd.
#[derive(Debug)]
pub struct Collectd {
    folder: PathBuf,
    processes: Processes,
    pid: u32,
}

/// How to run one.
#[derive(Debug)]
pub struct Setup<'a> {
    /// The name of this host: the hypervisor.
    pub host: &'a str,
    /// A folder for its configuration and what it writes; must exist.
    pub folder: &'a Path,
    /// Seconds between readings.
    pub interval_s: f64,
    /// Where values come from.
    pub input: Input,
    /// The plugin under test and the lines of its configuration; without it collectd only records.
    pub plugin: Option<(&'a Plugin, &'a str)>,
}

/// What we use of collectd's own plugins.
const STOCK_PLUGINS: [&str; 5] = ["csv.so", "exec.so", "logfile.so", "unixsock.so", "virt.so"];

/// Appends a notification to a file: its headers, an empty line, its message, and a form feed. One write each, for
/// collectd runs several at once.
const RECORDER: &str =
    "#!/bin/sh\nnotification=$(cat)\nprintf '%s\\n\\f' \"$notification\" >>\"$1\"\n";

impl Collectd {
    /// Writes the configuration and starts the daemon with the words of `wrapper` (such as nsenter and its arguments)
    /// before it. Returns once it reads.
    ///
    /// # Errors
    /// When it does not start; the message carries the end of its log.
    pub fn start(
        installation: &CollectdInstallation,
        setup: &Setup<'_>,
        wrapper: &[String],
        processes: &Processes,
    ) -> Result<Self> {
        let folder = setup.folder.to_owned();
        let plugins = folder.join("plugins");
        fs::create_dir_all(&plugins)?;
        // collectd has one folder of plugins and follows no symbolic links in it.
        for name in STOCK_PLUGINS {
            let from = installation.plugins.join(name);
            fs::copy(&from, plugins.join(name))
                .with_context(|| format!("cannot copy {}", from.display()))?;
        }
        if let Some((plugin, _)) = setup.plugin {
            plugin.copy_into(&plugins)?;
        }
        // The exec plugin refuses to run anything as root.
        let recorder = folder.join("record-notification");
        fs::write(&recorder, RECORDER)?;
        fs::set_permissions(&recorder, fs::Permissions::from_mode(0o755))?;
        let notifications = folder.join("notifications");
        fs::write(&notifications, "")?;
        fs::set_permissions(&notifications, fs::Permissions::from_mode(0o666))?;
        let user = if is_root() {
            "nobody".to_owned()
        } else {
            process::run(Command::new("id").arg("-un"))?
        };
        let configuration = configuration(setup, installation, user.trim());
        let file = folder.join("collectd.conf");
        fs::write(&file, configuration)?;

        let log = fs::File::create(folder.join("collectd.out"))?;
        let mut words = wrapper
            .iter()
            .map(String::as_str)
            .chain([path(&installation.daemon)?]);
        let mut command = Command::new(words.next().context("no program")?);
        command
            .args(words)
            .args(["-f", "-C", path(&file)?])
            .stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        let pid = processes.spawn(&mut command)?;
        let collectd = Self {
            folder,
            processes: processes.clone(),
            pid,
        };
        let started = process::wait_for(Duration::from_secs(20), || {
            if processes.ended(pid).is_some() {
                return Some(false);
            }
            collectd
                .log()
                .contains("Initialization complete")
                .then_some(true)
        });
        if started != Some(true) {
            bail!("collectd did not start: {}", collectd.log());
        }
        Ok(collectd)
    }

    /// # Errors
    /// When the daemon has ended; the message carries its log.
    pub fn ensure_running(&self) -> Result<()> {
        match self.processes.ended(self.pid) {
            Some(status) => bail!("collectd ended ({status}): {}", self.log()),
            None => Ok(()),
        }
    }

    /// What it wrote to its log and to its standard output.
    #[must_use]
    pub fn log(&self) -> String {
        let read = |name| fs::read(self.folder.join(name)).unwrap_or_default();
        let (log, out) = (read("collectd.log"), read("collectd.out"));
        String::from_utf8_lossy(&log).into_owned() + &String::from_utf8_lossy(&out)
    }

    /// Folder below which the csv plugin writes `HOST/PLUGIN/TYPE-DATE`.
    #[must_use]
    pub fn values_folder(&self) -> PathBuf {
        self.folder.join("csv")
    }

    /// Path of the configuration.
    #[must_use]
    pub fn configuration_file(&self) -> PathBuf {
        self.folder.join("collectd.conf")
    }

    /// The values (time in s, value) of one identity, such as `vm1`, `virt`, `virt_cpu_total`, oldest first; empty while
    /// there are none.
    #[must_use]
    pub fn values(&self, host: &str, plugin: &str, kind: &str) -> Vec<(f64, f64)> {
        let folder = self.values_folder().join(host).join(plugin);
        // One file a day: a run over midnight has two.
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                name.strip_prefix(kind)
                    .is_some_and(|rest| rest.len() == "-2020-01-01".len() && rest.starts_with('-'))
            })
            .collect();
        files.sort();
        let text: String = files
            .iter()
            .filter_map(|file| fs::read_to_string(file).ok())
            .collect();
        text.lines()
            .filter_map(|line| {
                let (time, value) = line.split_once(',')?;
                Some((time.parse().ok()?, value.parse().ok()?))
            })
            .collect()
    }

    /// The names and lines (`time,value`, the first one a heading) of all files of one host and plugin.
    #[must_use]
    pub fn files_of(&self, host: &str, plugin: &str) -> BTreeMap<String, Vec<String>> {
        let folder = self.values_folder().join(host).join(plugin);
        let read = |entry: fs::DirEntry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Some((name, text.lines().map(str::to_owned).collect()))
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(read).collect()
    }

    /// CPU use of a virtual machine (time in s, percent of one core), from the counter that the virt plugin wrote.
    #[must_use]
    pub fn cpu_percent(&self, vm: &str) -> Vec<(f64, f64)> {
        let counter = self.values(vm, "virt", "virt_cpu_total");
        counter
            .windows(2)
            .map(|pair| {
                (
                    pair[1].0,
                    (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0) / 1e7,
                )
            })
            .collect()
    }

    /// The notifications that its exec plugin has passed on, oldest first.
    #[must_use]
    pub fn notifications(&self) -> Vec<Notification> {
        let text = fs::read(self.folder.join("notifications")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut complete: Vec<&str> = text.split('\u{c}').collect();
        complete.pop();
        let mut all: Vec<Notification> = complete.into_iter().map(Notification::parse).collect();
        all.sort_by(|a, b| a.time.total_cmp(&b.time));
        all
    }

    /// Puts values through the unixsock plugin, one command a line.
    ///
    /// # Errors
    /// When the daemon is gone or refuses a command.
    pub fn feed(&self, commands: &[String]) -> Result<()> {
        let socket = self.folder.join("unixsock");
        let stream = UnixStream::connect(&socket)
            .with_context(|| format!("cannot reach {}", socket.display()))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut stream = stream;
        for command in commands {
            writeln!(stream, "{command}")?;
            let mut answer = String::new();
            answers.read_line(&mut answer)?;
            ensure!(
                answer.starts_with("0 "),
                "collectd answers '{}' to '{command}'",
                answer.trim()
            );
        }
        Ok(())
    }

    /// Stops the daemon as an administrator does.
    ///
    /// # Errors
    /// When it does not end within 20 s.
    pub fn stop(self) -> Result<ExitStatus> {
        // A wrapper does not pass signals on.
        process::terminate(process::only_child(self.pid).unwrap_or(self.pid));
        self.processes.wait(self.pid, Duration::from_secs(20))
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))
}

fn configuration(setup: &Setup<'_>, installation: &CollectdInstallation, user: &str) -> String {
    let Setup {
        host, interval_s, ..
    } = setup;
    let folder = setup.folder.display();
    let types_db = installation.types_db.display();
    let input = match &setup.input {
        Input::Libvirt(socket) => format!(
            "LoadPlugin virt\n<Plugin \"virt\">\n  Connection \"qemu+unix:///system?socket={}\"\n  \
             RefreshInterval 10\n</Plugin>\n",
            socket.display()
        ),
        Input::Fed => format!(
            "LoadPlugin unixsock\n<Plugin \"unixsock\">\n  SocketFile \"{folder}/unixsock\"\n  \
             SocketPerms \"0600\"\n</Plugin>\n"
        ),
    };
    let mut configuration = format!(
        "Hostname \"{host}\"\nFQDNLookup false\nInterval {interval_s}\nBaseDir \"{folder}\"\n\
         PIDFile \"{folder}/collectd.pid\"\nPluginDir \"{folder}/plugins\"\nTypesDB \"{types_db}\"\n\n\
         LoadPlugin logfile\n<Plugin \"logfile\">\n  File \"{folder}/collectd.log\"\n  LogLevel \"info\"\n</Plugin>\n\n\
         {input}\n\
         LoadPlugin csv\n<Plugin \"csv\">\n  DataDir \"{folder}/csv\"\n</Plugin>\n\n\
         LoadPlugin exec\n<Plugin \"exec\">\n  NotificationExec \"{user}\" \"{folder}/record-notification\" \
         \"{folder}/notifications\"\n</Plugin>\n"
    );
    if let Some((_, options)) = setup.plugin {
        configuration.push_str("\nLoadPlugin bellwether\n<Plugin \"bellwether\">\n");
        for line in options.lines() {
            configuration.push_str(&format!("  {line}\n"));
        }
        configuration.push_str("</Plugin>\n");
    }
    configuration
}

/// A notification as collectd's exec plugin gives it: headers, among them the notification's own metadata, and a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// As given: headers, an empty line, the message.
    pub text: String,
    /// When, seconds.
    pub time: f64,
    /// `FAILURE`, `WARNING` or `OKAY`.
    pub severity: String,
    /// One line for a person.
    pub message: String,
    /// All headers by name.
    pub headers: BTreeMap<String, String>,
}

impl Notification {
    fn parse(text: &str) -> Self {
        let (head, message) = text.split_once("\n\n").unwrap_or((text, ""));
        let headers: BTreeMap<String, String> = head
            .lines()
            .filter_map(|line| {
                line.split_once(": ")
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
            })
            .collect();
        let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
        Self {
            text: text.trim().to_owned(),
            time: header("Time").parse().unwrap_or_default(),
            severity: header("Severity"),
            message: message.trim().to_owned(),
            headers,
        }
    }

    /// Whether it tells of a hypervisor's anomaly, be it raised or cleared.
    #[must_use]
    pub fn is_hypervisor_anomaly(&self) -> bool {
        self.headers
            .get("Type")
            .is_some_and(|kind| kind == "hypervisor_anomaly")
    }

    /// A header's value, empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_read_with_its_metadata_and_its_message() {
        let text = "Severity: FAILURE\nTime: 1600000000.250\nHost: hv1\nPlugin: bellwether\nType: hypervisor_anomaly\n\
                    consensus: 1\n\nhypervisor hv1: 4 of 4 VMs fell together\n";
        let notification = Notification::parse(text);
        assert_eq!(
            (notification.time, notification.severity.as_str()),
            (1_600_000_000.25, "FAILURE")
        );
        assert!(notification.is_hypervisor_anomaly());
        assert_eq!(notification.header("consensus"), "1");
        assert_eq!(
            notification.message,
            "hypervisor hv1: 4 of 4 VMs fell together"
        );
    }
}

//! A real collectd that is fed with history, and what the bellwether plugin in it says.
//!
//! Values go in through the `unixsock` or the `network` plugin, with times of their own choosing; what comes out is recorded
//! by a small plugin of ours that is compiled against the installed headers.

mod check;
mod guests;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::compile::compile;
use crate::mount;
use crate::testbed::capabilities::CollectdInstallation;
use crate::testbed::plugin::Plugin;
use crate::testbed::process::wait_for;

pub use check::{check, not_loadable};
pub use guests::{Guests, putnotif, putval};

/// How to run a collectd.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The name that it goes by.
    pub hostname: String,
    /// Its own interval, in seconds: how often the plugin tells of its health.
    pub interval_sec: f64,
    /// How many threads call the writers; one keeps the order of what is fed.
    pub write_threads: usize,
    /// The lines of `<Plugin "bellwether">`; `None` runs without the plugin.
    pub bellwether: Option<String>,
    /// Whether to record what the plugin dispatches; it takes time.
    pub record: bool,
    /// Further plugins of collectd or of the folder `tests/plugins` that are loaded before it.
    pub plugins: Vec<&'static str>,
    /// Further lines of the configuration.
    pub more: String,
    /// Files that are mounted over others, as (from, onto).
    pub mounts: Vec<(PathBuf, PathBuf)>,
    /// Whether its wall clock can be set ([`Collectd::set_clock`]).
    pub clock: bool,
    /// For how many seconds every wait for the disk lasts ([`Collectd::disk_users`]).
    pub slow_disk_sec: Option<u32>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            hostname: "here".into(),
            interval_sec: 1.0,
            write_threads: 1,
            bellwether: Some(String::new()),
            record: true,
            plugins: Vec::new(),
            more: String::new(),
            mounts: Vec::new(),
            clock: false,
            slow_disk_sec: None,
        }
    }
}

impl Setup {
    /// The plugin with these lines as its configuration.
    pub fn with(bellwether: &str) -> Self {
        Self {
            bellwether: Some(bellwether.into()),
            ..Self::default()
        }
    }
}

/// A running collectd. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct Collectd {
    folder: tempfile::TempDir,
    daemon: PathBuf,
    mounts: Vec<(PathBuf, PathBuf)>,
    child: Child,
}

/// A notification as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// The message.
    pub message: String,
    /// Its fields (`Severity`, `Time`, `Host`, …) and its metadata.
    pub fields: BTreeMap<String, String>,
}

impl Notification {
    /// A field or a key of the metadata; empty when absent.
    pub fn get(&self, key: &str) -> &str {
        self.fields.get(key).map_or("", String::as_str)
    }

    /// When, in seconds since the epoch.
    pub fn time(&self) -> f64 {
        self.get("Time").parse().unwrap_or(f64::NAN)
    }
}

fn installation() -> Result<&'static CollectdInstallation> {
    static FOUND: OnceLock<Result<CollectdInstallation, String>> = OnceLock::new();
    FOUND
        .get_or_init(|| CollectdInstallation::find().map_err(|e| format!("{e:#}")))
        .as_ref()
        .map_err(|e| anyhow::anyhow!("{e}"))
}

fn plugin() -> Result<&'static Plugin> {
    static BUILT: OnceLock<Result<Plugin, String>> = OnceLock::new();
    BUILT
        .get_or_init(|| Plugin::build().map_err(|e| format!("{e:#}")))
        .as_ref()
        .map_err(|e| anyhow::anyhow!("{e}"))
}

/// Whether the libraries that a plugin of collectd's own needs are installed; packages only recommend them.
///
/// # Errors
/// Where that cannot be found out.
pub fn loadable(plugin: &str) -> Result<bool> {
    let path = installation()?.plugins.join(plugin).with_extension("so");
    let output = Command::new("ldd").arg(&path).output()?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(output.status.success() && !told.contains("not found"))
}

/// Compiles a plugin of the folder `tests/plugins` into the folder `plugins`.
fn compile_plugin(name: &str, plugins: &Path) -> Result<()> {
    let headers = std::env::var("COLLECTD_INCLUDE_DIR")
        .unwrap_or_else(|_| "/usr/include/collectd".to_owned());
    let include = ["/core", "/core/daemon", "", "/.."].map(|below| format!("-I{headers}{below}"));
    let usual = ["-shared", "-fPIC", "-O2", "-DHAVE_CONFIG_H"].map(String::from);
    compile(
        &format!("plugins/{name}.c"),
        &plugins.join(name).with_extension("so"),
        usual.into_iter().chain(include),
    )
}

/// Puts plugins into a folder: that under test, collectd's own, and those of the folder `tests/plugins`.
fn provide(names: &[&str], installation: &CollectdInstallation, folder: &Path) -> Result<()> {
    for name in names {
        let stock = installation.plugins.join(name).with_extension("so");
        if *name == "bellwether" {
            plugin()?.copy_into(folder)?;
        } else if stock.exists() {
            // collectd has one folder of plugins and follows no symbolic links in it.
            fs::copy(&stock, folder.join(name).with_extension("so"))?;
        } else {
            compile_plugin(name, folder)?;
        }
    }
    Ok(())
}

impl Collectd {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    /// Where it does not start, with its log.
    pub fn start(setup: &Setup) -> Result<Self> {
        let installation = installation()?;
        let folder = tempfile::Builder::new()
            .prefix("bellwether-collectd-")
            .tempdir()?;
        let plugins = folder.path().join("plugins");
        fs::create_dir(&plugins)?;
        let mut names = vec!["unixsock", "logfile"];
        names.extend(setup.record.then_some("recorder"));
        names.extend(&setup.plugins);
        names.extend(setup.bellwether.is_some().then_some("bellwether"));
        provide(&names, installation, &plugins)?;
        let file = folder.path().join("collectd.conf");
        fs::write(&file, configuration(setup, installation, folder.path())?)?;
        if setup.clock {
            let target = folder.path().join("clock.so");
            compile("preload/clock.c", &target, ["-shared", "-fPIC"])?;
        }
        if let Some(seconds) = setup.slow_disk_sec {
            let target = folder.path().join("disk.so");
            compile("preload/disk.c", &target, ["-shared", "-fPIC"])?;
            fs::write(folder.path().join("disk.sec"), seconds.to_string())?;
        }
        let child = spawn(&installation.daemon, &setup.mounts, folder.path())?;
        let mut collectd = Self {
            folder,
            daemon: installation.daemon.clone(),
            mounts: setup.mounts.clone(),
            child,
        };
        collectd.wait_ready()?;
        Ok(collectd)
    }

    fn wait_ready(&mut self) -> Result<()> {
        let ready = wait_for(Duration::from_secs(20), || {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return Some(false);
            }
            let reads = self.log().contains("Initialization complete");
            (reads && UnixStream::connect(self.socket()).is_ok()).then_some(true)
        });
        ensure!(
            ready == Some(true),
            "collectd did not start: {}",
            self.log()
        );
        Ok(())
    }

    /// Starts it again, with the same configuration, after it has ended.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        fs::remove_file(self.folder.path().join("collectd.log"))?;
        fs::remove_file(self.socket()).ok();
        self.child = spawn(&self.daemon, &self.mounts, self.folder.path())?;
        self.wait_ready()
    }

    /// The names of the threads that have waited for the disk, in that order; with [`Setup::slow_disk_sec`].
    pub fn disk_users(&self) -> Vec<String> {
        let users = fs::read_to_string(self.folder.path().join("disk")).unwrap_or_default();
        users.lines().map(String::from).collect()
    }

    /// Sets its wall clock ahead by so many seconds of that of this machine.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn set_clock(&self, ahead_sec: i64) -> Result<()> {
        let new = self.folder.path().join("clock.new");
        fs::write(&new, ahead_sec.to_string())?;
        Ok(fs::rename(new, self.folder.path().join("clock"))?)
    }

    /// Its folder: what is written there goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("unixsock")
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its log, and what it wrote to its standard error.
    pub fn log(&self) -> String {
        self.read("collectd.log") + &self.read("collectd.out")
    }

    /// All notifications so far, in their order.
    pub fn notifications(&self) -> Vec<Notification> {
        let text = self.read("notifications");
        let mut parts: Vec<&str> = text.split('\u{c}').collect();
        parts.pop();
        parts.into_iter().map(parse_notification).collect()
    }

    /// The notifications of the plugin bellwether, in their order.
    pub fn events(&self) -> Vec<Notification> {
        let mut all = self.notifications();
        all.retain(|n| n.get("Plugin") == "bellwether");
        all
    }

    /// The plugin's own values as (time, value), by "PLUGIN_INSTANCE/TYPE-TYPE_INSTANCE".
    pub fn values(&self) -> HashMap<String, Vec<(f64, f64)>> {
        let mut values: HashMap<String, Vec<(f64, f64)>> = HashMap::new();
        for line in self.read("values").lines() {
            let mut words = line.rsplitn(3, ' ');
            let (value, time, name) = (words.next(), words.next(), words.next());
            if let (Some(Ok(value)), Some(Ok(time)), Some(name)) =
                (value.map(str::parse), time.map(str::parse), name)
            {
                values.entry(name.into()).or_default().push((time, value));
            }
        }
        values
    }

    /// The newest of the plugin's own values of that name.
    pub fn newest(&self, name: &str) -> Option<(f64, f64)> {
        self.values().get(name)?.last().copied()
    }

    /// Sends commands through the unixsock plugin, one a line, without waiting for the answer to one before the next is sent.
    ///
    /// # Errors
    /// Where it refuses one, or does not answer.
    pub fn send(&self, commands: impl IntoIterator<Item = String>) -> Result<()> {
        let stream = UnixStream::connect(self.socket()).context("collectd is gone")?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let answers = BufReader::new(stream.try_clone()?);
        let reader = std::thread::spawn(move || -> Result<usize> {
            let mut count = 0;
            for answer in answers.lines() {
                let answer = answer?;
                ensure!(!answer.starts_with('-'), "collectd answers {answer:?}");
                count += 1;
            }
            Ok(count)
        });
        let mut sent = 0;
        let mut writer = BufWriter::new(&stream);
        for command in commands {
            writeln!(writer, "{command}")?;
            sent += 1;
        }
        writer.flush()?;
        drop(writer);
        // The daemon answers all that it got, and then sees the end.
        stream.shutdown(std::net::Shutdown::Write)?;
        let answered = reader.join().expect("the reader does not panic")?;
        ensure!(answered >= sent, "{answered} of {sent} commands answered");
        Ok(())
    }

    /// Waits until the plugin has told of a tick at `time` or later of that hypervisor.
    ///
    /// # Errors
    /// Where it has not within half a minute.
    pub fn wait_judged(&self, hypervisor: &str, time: f64) -> Result<()> {
        let name = format!("{hypervisor}/gauge-score");
        self.wait(&format!("a tick of {hypervisor} at {time}"), || {
            self.newest(&name).is_some_and(|(t, _)| t >= time)
        })
    }

    /// Waits for something, at most for half a minute.
    ///
    /// # Errors
    /// Where it does not come about, with what there is to know.
    pub fn wait(&self, what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !done() {
            if Instant::now() > deadline {
                let newest: BTreeMap<String, (f64, f64)> = self
                    .values()
                    .into_iter()
                    .filter_map(|(name, values)| Some((name, *values.last()?)))
                    .collect();
                bail!(
                    "no {what} within 30 s; log:\n{}\nevents: {:#?}\nvalues: {newest:#?}",
                    self.log(),
                    self.events()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Stops it as an administrator does.
    ///
    /// # Errors
    /// Where it does not end within half a minute.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        crate::testbed::process::terminate(self.child.id());
        wait_for(Duration::from_secs(30), || {
            self.child.try_wait().ok().flatten()
        })
        .with_context(|| format!("collectd does not end; log:\n{}", self.log()))
    }

    /// Kills it on the spot.
    ///
    /// # Errors
    /// Where that is refused.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Collectd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(daemon: &Path, mounts: &[(PathBuf, PathBuf)], folder: &Path) -> Result<Child> {
    let out = fs::File::create(folder.join("collectd.out"))?;
    let mut command = mount::command(daemon, mounts);
    let clock = folder.join("clock.so");
    if clock.exists() {
        command
            .env("LD_PRELOAD", clock)
            .env("BELLWETHER_TESTS_CLOCK", folder.join("clock"));
    }
    let disk = folder.join("disk.so");
    if disk.exists() {
        command
            .env("LD_PRELOAD", disk)
            .env("BELLWETHER_TESTS_DISK", folder.join("disk"))
            .env(
                "BELLWETHER_TESTS_DISK_SEC",
                fs::read_to_string(folder.join("disk.sec"))?,
            );
    }
    command
        .args(["-f", "-C"])
        .arg(folder.join("collectd.conf"))
        // cargo's, which would find a library that no administrator has.
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .spawn()
        .with_context(|| format!("cannot run {}", daemon.display()))
}

fn parse_notification(text: &str) -> Notification {
    let (head, message) = text.split_once("\n\n").unwrap_or((text, ""));
    Notification {
        message: message.trim_end().to_owned(),
        fields: head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
    }
}

fn configuration(
    setup: &Setup,
    installation: &CollectdInstallation,
    folder: &Path,
) -> Result<String> {
    let folder = folder.display();
    let mut text = format!(
        "Hostname \"{}\"\nFQDNLookup false\nInterval {}\nWriteThreads {}\nBaseDir \"{folder}\"\nPIDFile \"{folder}/pid\"\n\
         PluginDir \"{folder}/plugins\"\nTypesDB \"{}\"\n\
         LoadPlugin logfile\n<Plugin \"logfile\">\n  File \"{folder}/collectd.log\"\n  LogLevel \"info\"\n</Plugin>\n\
         LoadPlugin unixsock\n<Plugin \"unixsock\">\n  SocketFile \"{folder}/unixsock\"\n</Plugin>\n",
        setup.hostname,
        setup.interval_sec,
        setup.write_threads,
        installation.types_db.display()
    );
    if setup.record {
        write!(
            text,
            "LoadPlugin recorder\n<Plugin \"recorder\">\n  Notifications \"{folder}/notifications\"\n  \
             Values \"{folder}/values\"\n</Plugin>\n"
        )?;
    }
    for plugin in &setup.plugins {
        writeln!(text, "LoadPlugin {plugin}")?;
    }
    text.push_str(&setup.more);
    if let Some(lines) = &setup.bellwether {
        write!(
            text,
            "\nLoadPlugin bellwether\n<Plugin \"bellwether\">\n{lines}\n</Plugin>\n"
        )?;
    }
    Ok(text)
}

//! A host of our own, `tests/hosts/fluentbit.c`, that loads the plugin as a Fluent Bit does, one chunk at a time.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::compile::compile;
use crate::mount;

use super::{FILTER, INPUT, install_built};

/// How to run a host.
#[derive(Debug, Clone, Default)]
pub struct Setup<'a> {
    /// `KEY=VALUE`, of the companion input where the key begins with `input.`.
    pub properties: Vec<&'a str>,
    /// Whether there is a companion input.
    pub companion: bool,
    /// What the host is compiled with, as `-DSTRIDE=96`.
    pub defines: Vec<&'a str>,
    /// Whether it runs under valgrind, which ends it with status 99 where it finds an error.
    pub valgrind: bool,
    /// Whether the library that the plugin loads is left out.
    pub without_library: bool,
    /// Whether its `malloc` aligns to 8 bytes only, as that of Fluent Bit's packages does.
    pub malloc8: bool,
    /// For how many seconds every wait for the disk lasts ([`Host::disk_users`]).
    pub slow_disk_sec: Option<u32>,
    /// The folder that the plugin is loaded from; by default one of the host's own, into which it is copied.
    pub plugins: Option<&'a Path>,
    /// Files that are mounted over others, as (from, onto).
    pub mounts: Vec<(PathBuf, PathBuf)>,
}

/// A running host. Dropping it kills it.
#[derive(Debug)]
pub struct Host {
    folder: tempfile::TempDir,
    child: Child,
}

impl Host {
    /// Starts one.
    ///
    /// # Errors
    /// Where it cannot be compiled or run.
    pub fn start(setup: &Setup<'_>) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bellwether-fluentbit-host-")
            .tempdir()?;
        install_built(folder.path())?;
        if setup.without_library {
            fs::remove_file(folder.path().join("libbellwether.so.0"))?;
        }
        let program = folder.path().join("host");
        let usual = [
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-g",
            "-rdynamic",
            "-ldl",
        ];
        let arguments = usual.iter().chain(&setup.defines);
        compile("hosts/fluentbit.c", &program, arguments)?;
        let plugins = setup.plugins.unwrap_or(folder.path()).to_owned();
        let mut command = if setup.valgrind {
            let mut command = Command::new("valgrind");
            command.args(["--quiet", "--error-exitcode=99", "--leak-check=full"]);
            command.args(["--errors-for-leak-kinds=definite", "--"]);
            command.arg(program);
            command
        } else {
            mount::command(program, &setup.mounts)
        };
        command.arg(plugins.join(FILTER));
        match setup.companion {
            true => command.arg(plugins.join(INPUT)),
            false => command.arg(""),
        };
        if setup.malloc8 {
            let object = folder.path().join("malloc8.so");
            compile(
                "../ffi/tests/c/malloc8.c",
                &object,
                ["-std=gnu11", "-shared", "-fPIC", "-ldl"],
            )?;
            command.env("LD_PRELOAD", object);
        }
        if let Some(seconds) = setup.slow_disk_sec {
            let object = folder.path().join("disk.so");
            compile("preload/disk.c", &object, ["-shared", "-fPIC"])?;
            command
                .env("LD_PRELOAD", object)
                .env("BELLWETHER_TESTS_DISK", folder.path().join("disk"))
                .env("BELLWETHER_TESTS_DISK_SEC", seconds.to_string());
        }
        let log = fs::File::create(folder.path().join("log"))?;
        let child = command
            .args(&setup.properties)
            // cargo's, which would find a library that no administrator has.
            .env_remove("LD_LIBRARY_PATH")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("the host cannot be run")?;
        Ok(Self { folder, child })
    }

    fn ask(&mut self, letter: u8, bytes: &[u8]) -> Result<(u8, Vec<u8>)> {
        let input = self.child.stdin.as_mut().context("the host has ended")?;
        let mut command = vec![letter];
        command.extend((bytes.len() as u32).to_le_bytes());
        command.extend(bytes);
        let written = input.write_all(&command).and_then(|()| input.flush());
        let output = self.child.stdout.as_mut().context("the host has ended")?;
        let mut head = [0; 5];
        let read = written.and_then(|()| output.read_exact(&mut head));
        read.with_context(|| format!("the host has ended; log:\n{}", self.log()))?;
        let [letter, size @ ..] = head;
        let mut answer = vec![0; u32::from_le_bytes(size) as usize];
        let output = self.child.stdout.as_mut().context("the host has ended")?;
        output.read_exact(&mut answer)?;
        Ok((letter, answer))
    }

    /// Runs the filter on a chunk; what replaces it, or `None` where it stays as it is.
    ///
    /// # Errors
    /// Where the host has ended.
    pub fn filter(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.ask(b'F', chunk)? {
            (b'M', records) => Ok(Some(records)),
            (b'N', _) => Ok(None),
            other => bail!("the host answers {other:?}"),
        }
    }

    /// Runs the second processor on a chunk, which gives every record its template.
    ///
    /// # Errors
    /// Where the host has ended or the chunk stays as it is.
    pub fn second(&mut self, chunk: &[u8]) -> Result<Vec<u8>> {
        match self.ask(b'P', chunk)? {
            (b'M', records) => Ok(records),
            other => bail!("the host answers {other:?}"),
        }
    }

    /// Runs the companion input's collector; the records that it put into the pipeline.
    ///
    /// # Errors
    /// Where the host has ended.
    pub fn collect(&mut self) -> Result<Vec<u8>> {
        Ok(self.ask(b'C', b"")?.1)
    }

    /// The metrics, one a line.
    ///
    /// # Errors
    /// Where the host has ended.
    pub fn metrics(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.ask(b'S', b"")?.1)?)
    }

    /// The tables of options, one option a line.
    ///
    /// # Errors
    /// Where the host has ended.
    pub fn options(&mut self) -> Result<String> {
        Ok(String::from_utf8(self.ask(b'H', b"")?.1)?)
    }

    /// Ends the plugin and starts it again, in one process.
    ///
    /// # Errors
    /// Where it does not start.
    pub fn restart(&mut self) -> Result<()> {
        let (letter, _) = self.ask(b'R', b"")?;
        ensure!(letter == b'R', "it does not start again: {}", self.log());
        Ok(())
    }

    /// Ends the plugin; the process goes on.
    ///
    /// # Errors
    /// Where the host has ended.
    pub fn leave(&mut self) -> Result<()> {
        self.ask(b'X', b"").map(drop)
    }

    /// The names of the threads that have waited for the disk, in that order; with [`Setup::slow_disk_sec`].
    pub fn disk_users(&self) -> Vec<String> {
        let users = fs::read_to_string(self.folder.path().join("disk")).unwrap_or_default();
        users.lines().map(String::from).collect()
    }

    /// The names of its threads, each with the signals that it has blocked, a bit each.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn threads(&self) -> Result<Vec<(String, u64)>> {
        let mut threads = Vec::new();
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            let field = |name: &str| {
                let value = status.lines().find_map(|line| line.strip_prefix(name));
                value.map(str::trim).context("no such field")
            };
            let blocked = u64::from_str_radix(field("SigBlk:")?, 16)?;
            threads.push((field("Name:")?.to_owned(), blocked));
        }
        Ok(threads)
    }

    /// The most memory that it had so far.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn peak_memory_bytes(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kib: u64 = kib.context("the host has ended")?.parse()?;
        Ok(kib * 1024)
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its folder: what is written there goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Ends it; its exit status and its log.
    ///
    /// # Errors
    /// Where it was killed.
    pub fn end(mut self) -> Result<(i32, String)> {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        let code = status
            .code()
            .with_context(|| format!("the host was killed: {status}; log:\n{}", self.log()))?;
        Ok((code, self.log()))
    }

    /// Runs one that is not to start; its exit status and its log.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub fn refused(setup: &Setup<'_>) -> Result<(i32, String)> {
        Self::start(setup)?.end()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Whether a program is installed.
pub fn installed(program: &str) -> bool {
    let ran = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output();
    matches!(ran, Ok(Output { status, .. }) if status.success())
}

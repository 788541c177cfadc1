//! A real Fluent Bit, where one is installed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::{FILTER, INPUT, install_built};
use crate::testbed::process::{signal, terminate, wait_for};

/// Where packages put it.
const USUAL: &str = "/opt/fluent-bit/bin/fluent-bit";

/// Where a build with jemalloc, which is what packages really have, is looked for beside one without.
const JEMALLOC: &str = "/opt/fluent-bit-jemalloc/bin/fluent-bit";

/// Where other versions are looked for, each in a folder of its own.
const OTHERS: &str = "/opt";

/// How long anything may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program: what `FLUENT_BIT` names, or one in `PATH`, or that of the packages.
///
/// # Errors
/// Where there is none.
pub fn find() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("FLUENT_BIT") {
        let path = PathBuf::from(named);
        ensure!(
            path.is_file(),
            "FLUENT_BIT is {}, where no file is",
            path.display()
        );
        return Ok(path);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders)
        .map(|folder| folder.join("fluent-bit"))
        .chain([USUAL.into()])
        .find(|path| path.is_file())
        .with_context(|| {
            format!("there is no fluent-bit in PATH and no {USUAL}; FLUENT_BIT can name one")
        })
}

/// A build of it with jemalloc: what `FLUENT_BIT_JEMALLOC` names, or the one in `/opt/fluent-bit-jemalloc`.
///
/// # Errors
/// Where there is none.
pub fn find_jemalloc() -> Result<PathBuf> {
    let path =
        std::env::var_os("FLUENT_BIT_JEMALLOC").map_or_else(|| JEMALLOC.into(), PathBuf::from);
    ensure!(
        path.is_file(),
        "there is no {}, a Fluent Bit built with -DFLB_JEMALLOC=On; FLUENT_BIT_JEMALLOC can name one",
        path.display()
    );
    Ok(path)
}

/// Other versions, as `/opt/fluent-bit-3.0.7/bin/fluent-bit`: major, minor and patch number by their own account, and the
/// program. The oldest comes first.
pub fn other_versions() -> Vec<([u32; 3], PathBuf)> {
    let folders = fs::read_dir(OTHERS).into_iter().flatten().flatten();
    let mut versions: Vec<_> = folders
        .filter(|folder| {
            folder
                .file_name()
                .to_string_lossy()
                .starts_with("fluent-bit-")
        })
        .map(|folder| folder.path().join("bin/fluent-bit"))
        .filter_map(|program| Some((version(&program)?, program)))
        .collect();
    versions.sort();
    versions
}

/// What version a program says it is.
fn version(program: &Path) -> Option<[u32; 3]> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (_, version) = text.lines().next()?.split_once(" v")?;
    let numbers: Vec<u32> = version
        .split('.')
        .map_while(|n| n.trim().parse().ok())
        .collect();
    numbers.try_into().ok()
}

/// A port that nobody listens on.
///
/// # Errors
/// Where there is none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A running Fluent Bit with a folder of its own. Dropping it kills it and removes the folder.
#[derive(Debug)]
pub struct FluentBit {
    program: PathBuf,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl FluentBit {
    /// A folder with the plugin in it, and nothing that runs yet.
    ///
    /// # Errors
    /// Where there is no Fluent Bit, or the plugin cannot be built.
    pub fn prepare() -> Result<Self> {
        Self::prepare_program(find()?)
    }

    /// The same with this program.
    ///
    /// # Errors
    /// Where the plugin cannot be built.
    pub fn prepare_program(program: PathBuf) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("bellwether-fluentbit-")
            .tempdir()?;
        install_built(folder.path())?;
        Ok(Self {
            program,
            folder,
            arguments: Vec::new(),
            child: None,
        })
    }

    /// Starts it with this configuration, written to a file of that name, in which `@FOLDER@` stands for the folder. The plugin
    /// is loaded on the command line.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub fn start(&mut self, name: &str, configuration: &str) -> Result<()> {
        let plugins = [FILTER, INPUT].map(|file| format!("-e@FOLDER@/{file}"));
        self.start_with(name, configuration, &plugins.each_ref().map(String::as_str))
    }

    /// Starts it with this configuration and further arguments; in both, `@FOLDER@` stands for the folder.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub fn start_with(&mut self, name: &str, configuration: &str, more: &[&str]) -> Result<()> {
        let path = self.write(name, configuration)?;
        let folder = self.folder().display().to_string();
        self.arguments = more
            .iter()
            .map(|a| a.replace("@FOLDER@", &folder))
            .collect();
        self.arguments.push("-c".into());
        self.arguments.push(path.display().to_string());
        self.start_again()
    }

    /// Starts it once more, as it was started before.
    ///
    /// # Errors
    /// Where it cannot be run.
    pub fn start_again(&mut self) -> Result<()> {
        let log = fs::File::create(self.folder().join("log"))?;
        let child = Command::new(&self.program)
            .args(&self.arguments)
            // cargo's, which would find a library that no administrator has.
            .env_remove("LD_LIBRARY_PATH")
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        Ok(())
    }

    /// Runs it to its end with these arguments alone; whether it succeeded, and what it wrote.
    ///
    /// # Errors
    /// Where it cannot be run or does not end.
    pub fn run(&mut self, arguments: &[&str]) -> Result<(bool, String)> {
        let folder = self.folder().display().to_string();
        let replace = |argument: &&str| argument.replace("@FOLDER@", &folder);
        self.arguments = arguments.iter().map(replace).collect();
        self.start_again()?;
        let status = self.wait_end()?;
        Ok((status.success(), self.log()))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file into the folder; `@FOLDER@` in it stands for the folder.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder().join(name);
        fs::write(
            &path,
            text.replace("@FOLDER@", &self.folder().display().to_string()),
        )?;
        Ok(path)
    }

    /// Adds to a file in the folder.
    ///
    /// # Errors
    /// Where that cannot be done.
    pub fn append(&self, name: &str, text: &str) -> Result<()> {
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(self.folder().join(name))?;
        file.write_all(text.as_bytes())?;
        Ok(())
    }

    fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.folder().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        self.read("log")
    }

    /// The records in a file that its output `file` writes with `format plain`, so far.
    pub fn records(&self, name: &str) -> Vec<Value> {
        let text = self.read(name);
        // The last line may not be whole yet.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let parsed = whole.lines().map(serde_json::from_str);
        parsed
            .map(|record| record.expect("the output is JSON"))
            .collect()
    }

    /// Its process.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.child.as_ref().context("it does not run")?.id())
    }

    /// Waits for something.
    ///
    /// # Errors
    /// Where it does not come about in time or the program ends before, with its log.
    pub fn wait(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            let ended = self
                .child
                .as_mut()
                .and_then(|c| c.try_wait().ok().flatten());
            if let Some(status) = ended {
                // What it was waited for may be the last that it did.
                ensure!(
                    done(self),
                    "it ended ({status}) before {what}; log:\n{}",
                    self.log()
                );
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("no {what} within {PATIENCE:?}; log:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Waits for its own end.
    ///
    /// # Errors
    /// Where it goes on.
    pub fn wait_end(&mut self) -> Result<ExitStatus> {
        let child = self.child.as_mut().context("it does not run")?;
        let ended = wait_for(PATIENCE, || child.try_wait().ok().flatten());
        ended.with_context(|| format!("it does not end; log:\n{}", self.log()))
    }

    /// Ends it as an administrator does.
    ///
    /// # Errors
    /// Where it goes on.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        terminate(self.pid()?);
        self.wait_end()
    }

    /// Has it read its configuration again.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn reload(&self) -> Result<()> {
        signal(self.pid()?, "HUP")
    }

    /// Kills it on the spot.
    ///
    /// # Errors
    /// Where that is refused.
    pub fn kill(&mut self) -> Result<()> {
        let child = self.child.as_mut().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }
}

impl Drop for FluentBit {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// Posts JSON to an HTTP server on this machine.
///
/// # Errors
/// Where it does not take it.
pub fn post(port: u16, path: &str, body: &Value) -> Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let body = body.to_string();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let status = line.split_whitespace().nth(1);
    ensure!(
        status.is_some_and(|status| status.starts_with('2')),
        "{path}: {line}"
    );
    Ok(())
}

/// What an HTTP server on this machine answers to a GET, without the head.
///
/// # Errors
/// Where it does not answer.
pub fn get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = BufReader::new(stream);
    let mut line = String::new();
    answer.read_line(&mut line)?;
    ensure!(
        line.split_whitespace().nth(1) == Some("200"),
        "{path}: {line}"
    );
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        answer.read_line(&mut line)?;
        let field = line.to_ascii_lowercase();
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    // The server need not close the connection.
    let mut body = vec![0; length];
    answer.read_exact(&mut body)?;
    Ok(String::from_utf8(body)?)
}

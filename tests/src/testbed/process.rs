//! Child processes that end with us.

use std::fs;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The processes that one test bed has started. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Processes(Arc<Mutex<Vec<Child>>>);

impl Processes {
    /// Starts a process and keeps it; returns its id.
    ///
    /// It gets a process group of its own: a Ctrl-C at the terminal then reaches us alone, and we end the processes in
    /// order.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(&self, command: &mut Command) -> Result<u32> {
        std::os::unix::process::CommandExt::process_group(command, 0);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let pid = child.id();
        self.all().push(child);
        Ok(pid)
    }

    /// How the process ended; `None` while it runs or when it is not ours.
    #[must_use]
    pub fn ended(&self, pid: u32) -> Option<ExitStatus> {
        self.all()
            .iter_mut()
            .find(|child| child.id() == pid)?
            .try_wait()
            .ok()?
    }

    /// Waits for the end of a process of ours.
    ///
    /// # Errors
    /// When it still runs after `patience`.
    pub fn wait(&self, pid: u32, patience: Duration) -> Result<ExitStatus> {
        wait_for(patience, || self.ended(pid))
            .with_context(|| format!("process {pid} did not end within {patience:?}"))
    }

    /// Ends all of them, the newest first: asks by closing the standard input and by SIGTERM, and insists after 5 s.
    pub fn end_all(&self) {
        let mut children = std::mem::take(&mut *self.all());
        while let Some(mut child) = children.pop() {
            drop(child.stdin.take());
            terminate(child.id());
            if wait_for(Duration::from_secs(5), || child.try_wait().ok().flatten()).is_none() {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A shell, whose arguments are still to be given, in PID, mount and UTS namespaces of its own, all of whose processes end with it.
pub fn shell_in_namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--pid",
        "--fork",
        "--kill-child",
        "--mount",
        "--mount-proc",
        "--uts",
        "sh",
    ]);
    command
}

/// Asks a process to end. One that has ended already is no error.
pub fn terminate(pid: u32) {
    let _ = signal(pid, "TERM");
}

/// Sends a signal, named without its SIG.
///
/// # Errors
/// When there is no such process.
pub fn signal(pid: u32, name: &str) -> Result<()> {
    // The shell has it built in; the program of that name is missing from small images.
    run(Command::new("sh").args(["-c", &format!("kill -{name} {pid}")])).map(drop)
}

/// The only child of a wrapper such as nsenter: the program that it was told to start.
#[must_use]
pub fn only_child(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Resident memory of a process, in KiB.
///
/// # Errors
/// Where there is no such process.
pub fn resident_kib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Asks `ready` every 20 ms until it answers, at most for `patience`.
pub fn wait_for<T>(patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(answer) = ready() {
            return Some(answer);
        }
        if Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a program to its end and returns what it wrote to standard output.
///
/// # Errors
/// When it cannot be started or fails; the message carries what it wrote to standard error.
pub fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    anyhow::ensure!(
        output.status.success(),
        "{program} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    #[test]
    fn processes_end_together_even_one_that_waits_for_its_input() {
        let processes = Processes::default();
        let reader = processes
            .spawn(
                Command::new("cat")
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null()),
            )
            .unwrap();
        let sleeper = processes.spawn(Command::new("sleep").arg("60")).unwrap();
        assert!(processes.ended(reader).is_none() && processes.ended(sleeper).is_none());
        processes.end_all();
        for pid in [reader, sleeper] {
            assert!(
                !fs::exists(format!("/proc/{pid}")).unwrap(),
                "process {pid} is still there"
            );
        }
    }

    #[test]
    fn a_failing_program_is_reported_with_its_own_words() {
        let error =
            run(Command::new("sh").args(["-c", "echo no such machine >&2; exit 3"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "sh failed (exit status: 3): no such machine"
        );
    }
}

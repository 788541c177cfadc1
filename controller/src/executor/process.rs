//! A program that is run with an input and a time limit. Nothing that it started outlives it.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::watch;

use super::contract::Failure;

/// What a program has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Output {
    /// The beginning of its standard output and standard error, as text.
    pub(super) text: String,
    /// Whether there was more.
    pub(super) is_cut: bool,
}

/// A process group that is killed when this is dropped, unless the program has ended.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        if let Some(pid) = self.0.take() {
            // It may have ended in the meantime.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How a program ended, and the beginnings of its outputs.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    pub(super) out: Vec<u8>,
    pub(super) err: Vec<u8>,
    /// Whether there was more.
    pub(super) is_cut: bool,
}

/// Runs `argv` with `input` on its standard input.
pub(super) async fn run(
    argv: &[String],
    variables: &[(String, String)],
    input: String,
    timeout: Duration,
    output_max: usize,
    cancel: watch::Receiver<bool>,
) -> Result<Output, Failure> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(Failure("the command is empty".into()));
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)));
    let ended = run_command(command, input, timeout, output_max, cancel).await?;
    let mut output = Output {
        text: join(&ended.out, &ended.err),
        is_cut: ended.is_cut,
    };
    if ended.status.success() {
        return Ok(output);
    }
    if output.is_cut {
        output.text.push_str(" (and more)");
    }
    Err(Failure(format!(
        "\"{program}\" ended with {}: {}",
        ended.status, output.text
    )))
}

/// Runs a command in a process group of its own, whatever its exit code.
pub(super) async fn run_command(
    mut command: Command,
    input: String,
    timeout: Duration,
    output_max: usize,
    mut cancel: watch::Receiver<bool>,
) -> Result<Ended, Failure> {
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| Failure(format!("cannot run \"{program}\": {error}")))?;
    let pid = child.id().and_then(|id| Pid::from_raw(id as i32));
    let mut group = Group(pid);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let write = async move {
        if let Some(mut stdin) = stdin {
            // A program need not read its input.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    };
    let work = async {
        let ended = async {
            let status = child.wait().await;
            // What it started would hold the pipes open.
            group.kill();
            status
        };
        let ((), out, err, status) = tokio::join!(
            write,
            read(stdout, output_max),
            read(stderr, output_max),
            ended
        );
        (out, err, status)
    };
    let canceled = async {
        if cancel.wait_for(|is_canceled| *is_canceled).await.is_err() {
            // Whoever could cancel is gone.
            std::future::pending::<()>().await;
        }
    };
    let (out, err, status) = tokio::select! {
        done = work => done,
        () = tokio::time::sleep(timeout) => {
            return Err(Failure(format!(
                "\"{program}\" was killed after {} s", timeout.as_secs_f64()
            )));
        }
        () = canceled => return Err(Failure(format!("\"{program}\" was canceled"))),
    };
    let status =
        status.map_err(|error| Failure(format!("cannot wait for \"{program}\": {error}")))?;
    Ok(Ended {
        status,
        is_cut: out.1 || err.1,
        out: out.0,
        err: err.0,
    })
}

fn join(out: &[u8], err: &[u8]) -> String {
    let text = [out, err].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    text.join("\n").trim().to_owned()
}

/// Reads all of a pipe and keeps its first `max` bytes; also gives whether there was more.
async fn read(pipe: Option<impl AsyncRead + Unpin>, max: usize) -> (Vec<u8>, bool) {
    let (mut kept, mut is_cut) = (Vec::new(), false);
    let Some(mut pipe) = pipe else {
        return (kept, is_cut);
    };
    let mut buffer = vec![0; 8192];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        let keep = count.min(max - kept.len());
        kept.extend_from_slice(&buffer[..keep]);
        is_cut |= keep < count;
    }
    (kept, is_cut)
}

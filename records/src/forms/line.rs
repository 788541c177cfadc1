//! A record as a line gives it, and what else is known about it.

use std::borrow::Cow;

use bellwether_core::lad::Transport;

use crate::times::Stamp;

/// One record of a log, as its form gives it. What it does not say is empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line<'a> {
    /// When it was logged.
    pub time: Stamp,
    /// The host that logged it.
    pub host: Cow<'a, str>,
    /// The program that logged it, without its process number.
    pub program: Cow<'a, str>,
    /// The systemd unit, pod or container of the program.
    pub unit: Cow<'a, str>,
    /// How the record reached the log.
    pub transport: Transport,
    /// Its severity, 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// The message.
    pub text: Cow<'a, str>,
    /// It is one part of a text: that goes on in the next record of this output.
    pub is_part: bool,
    /// The output of a container that it came from.
    pub output: Option<Output>,
}

/// An output of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The standard output.
    Stdout,
    /// The standard error.
    Stderr,
}

/// What the lines before and the name of the file say about lines whose form is ambiguous.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The file's name without folder and endings: the program, where the form is that of a program's own file.
    pub file: String,
    /// The container, where the file's name says it.
    pub container: Option<Container>,
    /// A host that the lines before named.
    pub host: Option<String>,
    /// What a time in brackets begins, once a line has shown it.
    pub bracket: Bracket,
    /// A line before was a record of `/dev/kmsg`, whose properties follow in lines of their own.
    pub is_kmsg: bool,
}

/// What follows `[    1.234567]`: the kernel's message, or host and program as `journalctl -o short-monotonic` writes them.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Bracket {
    /// No line has shown it.
    #[default]
    Unknown,
    /// The kernel's message.
    Kernel,
    /// This host, then the program.
    Host(String),
}

/// The container of a log file, as the file's name says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// The container's name.
    pub name: String,
    /// Namespace and pod, or the container's id.
    pub unit: String,
}

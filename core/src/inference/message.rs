//! A message to be classified: its text and its source.

/// How a record reached the log, as the pipeline vouches for it: a program chooses its own name, but not this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// The pipeline does not say: the program's name is all there is.
    #[default]
    Unknown,
    /// The kernel's ring buffer, read as such (journald's `_TRANSPORT=kernel`, syslog's facility 0, `/dev/kmsg`).
    Kernel,
    /// A process of the host: the syslog socket, the journal's socket, standard output. It is not the kernel, whatever its name.
    Process,
    /// A container's output. Its name was chosen by who started it.
    Container,
}

/// A message to be classified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The message as it was logged, without time and host. If it is empty, `template` is classified instead.
    pub text: &'a str,
    /// The message with its values replaced by placeholders such as `<:NUM:>`, `<:*:>` or `<*>`.
    pub template: &'a str,
    /// The program that wrote it, as its transport names it; any bytes, empty if unknown. If it is empty, a source at the
    /// beginning of the text, such as `kernel:` or `sshd[17]:`, counts.
    pub program: &'a [u8],
    /// The program's systemd unit; any bytes, empty if unknown.
    pub unit: &'a [u8],
    /// How it reached the log.
    pub transport: Transport,
    /// The record's own priority, if it has one: syslog severity, 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
}

impl<'a> Message<'a> {
    /// A message of an unknown source.
    pub fn of(text: &'a str) -> Self {
        Self {
            text,
            ..Self::default()
        }
    }

    /// The same message from `program`.
    #[must_use]
    pub fn from_program(self, program: &'a str) -> Self {
        Self {
            program: program.as_bytes(),
            ..self
        }
    }

    /// The same message with this priority.
    #[must_use]
    pub fn with_priority(self, priority: Option<u8>) -> Self {
        Self { priority, ..self }
    }
}

//! Lines for the service's log on standard error, with the priority that systemd reads (sd-daemon(3)).

/// Something that matters to an operator.
pub fn info(message: &str) {
    line(6, message);
}

/// Something that an operator should know.
pub fn warning(message: &str) {
    line(4, message);
}

/// Something that keeps the controller from its work.
pub fn error(message: &str) {
    line(3, message);
}

fn line(priority: u8, message: &str) {
    use std::io::Write as _;
    let message = bellwether_core::text::clean(message);
    let under_systemd = std::env::var_os("JOURNAL_STREAM").is_some();
    let mut out = std::io::stderr().lock();
    // Nobody can be informed that nobody can be informed.
    let _ = match under_systemd {
        true => writeln!(out, "<{priority}>{message}"),
        false => writeln!(out, "bellwether-controller: {message}"),
    };
}

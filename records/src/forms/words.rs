//! Words that lines of many forms hold: levels, hosts and programs.

/// The longest name of a host, as in the DNS.
const HOST_MAX_BYTES: usize = 255;
/// The longest name of a program or unit that is taken for one.
const PROGRAM_MAX_BYTES: usize = 256;

/// A severity by its name in the many ways in which programs write it.
pub fn level(word: &str) -> Option<u8> {
    let mut lower = [0; 9];
    let word = word.as_bytes();
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"emerg" | b"emergency" => 0,
        b"alert" | b"emer" => 1,
        b"crit" | b"critical" | b"fatal" | b"panic" | b"dpanic" => 2,
        b"err" | b"error" | b"severe" | b"eror" => 3,
        b"warn" | b"warning" | b"wrn" => 4,
        b"notice" | b"note" => 5,
        b"info" | b"inf" | b"audit" => 6,
        b"debug" | b"dbg" | b"trace" | b"verbose" | b"fine" => 7,
        _ => return None,
    })
}

/// Whether a word may be the name of a host: letters, digits and what addresses and relayed names hold.
pub fn is_host(word: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "._-:/@%".contains(c);
    (1..=HOST_MAX_BYTES).contains(&word.len())
        && !word.ends_with(':')
        && word.starts_with(|c: char| c.is_alphanumeric() || c == ':' || c == '_')
        && word.chars().all(allowed)
}

/// The program's name in a word such as `sshd[17]:` or "kernel:". rsyslog leaves the colon out behind a process whose message came in
/// the form of RFC 5424.
pub fn program(word: &str) -> Option<&str> {
    let name = match word.strip_suffix(':') {
        Some(word) => word.split_once('[').map_or(word, |(name, _)| name),
        None => with_process(word)?,
    };
    (name.len() <= PROGRAM_MAX_BYTES).then_some(name)
}

/// Whether a word names a program with its process, as in `sshd[17]:`, or the kernel.
pub fn is_program_with_process(word: &str) -> bool {
    word == "kernel:" || word.strip_suffix(':').and_then(with_process).is_some()
}

/// The program in `sshd[17]`.
fn with_process(word: &str) -> Option<&str> {
    let (name, process) = word.strip_suffix(']')?.split_once('[')?;
    let is_number = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
    (is_number && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_have_many_names() {
        for (names, expected) in [
            ("ERR error Error severe", 3),
            ("WARN warning wrn", 4),
            ("fatal CRITICAL crit", 2),
            ("trace DBG", 7),
        ] {
            for name in names.split(' ') {
                assert_eq!(level(name), Some(expected), "{name}");
            }
        }
        assert_eq!(level("errors"), None);
        assert_eq!(level(&"x".repeat(1000)), None);
    }
}

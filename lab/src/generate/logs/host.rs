//! The host whose log is made up: what stays the same in all that its programs say.

use std::collections::HashMap;
use std::fmt::Write as _;

use fastrand::Rng;

use super::time::MICROS;

/// The names of guests are made of these and a number.
const ROLES: [&str; 10] = [
    "web", "db", "mail", "build", "cache", "proxy", "git", "queue", "search", "test",
];

/// The people who log in.
const PEOPLE: [&str; 8] = [
    "anna", "bela", "chen", "dora", "emil", "farid", "greta", "hugo",
];

const KERNELS: [&str; 4] = [
    "6.1.0-18-amd64",
    "6.1.0-25-amd64",
    "6.8.0-45-generic",
    "5.15.0-122-generic",
];

const BOARDS: [&str; 4] = [
    "Dell Inc. PowerEdge R740/0JMK61, BIOS 2.19.1 06/04/2023",
    "HPE ProLiant DL380 Gen10/ProLiant DL380 Gen10, BIOS U30 07/20/2023",
    "Supermicro SYS-6029P-TR/X11DPi-N, BIOS 3.8b 01/17/2023",
    "Lenovo ThinkSystem SR650 -[7X06CTO1WW]-/-[7X06CTO1WW]-, BIOS -[IVE178D-3.31]- 01/12/2023",
];

/// The longest that a host has been up when its log begins, days.
const UP_DAYS: i64 = 200;

/// What was drawn: its text, and for a guest or a person what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// What is written for it.
    pub text: String,
    /// What is written for its fields, by their names.
    pub fields: Vec<(&'static str, String)>,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self {
            text,
            fields: Vec::new(),
        }
    }
}

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its kernel's release.
    pub kernel: &'static str,
    /// What the kernel calls its hardware.
    pub board: &'static str,
    /// When it was started, in microseconds since the epoch.
    pub booted: i64,
    /// Its guests, all of which run.
    pub guests: Vec<Value>,
    /// Who may log in.
    pub people: Vec<Value>,
    daemons: HashMap<String, u32>,
    counters: HashMap<String, u64>,
    last_pid: u32,
    rng: Rng,
}

impl Host {
    /// A host whose log begins at `start`, in microseconds since the epoch.
    pub fn new(name: &str, start: i64, mut rng: Rng) -> Self {
        let guests = (0..rng.u32(8..20)).map(|n| guest(n, &mut rng)).collect();
        let people = PEOPLE.iter().zip(1000_u32..).map(|(person, uid)| Value {
            text: (*person).to_owned(),
            fields: vec![("uid", uid.to_string())],
        });
        Self {
            name: name.to_owned(),
            kernel: KERNELS[rng.usize(..KERNELS.len())],
            board: BOARDS[rng.usize(..BOARDS.len())],
            booted: start - rng.i64(3_600..UP_DAYS * 86_400) * MICROS,
            guests,
            people: people.collect(),
            daemons: HashMap::new(),
            counters: HashMap::new(),
            last_pid: rng.u32(2_000..900_000),
            rng,
        }
    }

    /// The process of a daemon, the same all the time.
    pub fn daemon(&mut self, source: &str) -> u32 {
        if let Some(pid) = self.daemons.get(source) {
            return *pid;
        }
        let pid = self.rng.u32(400..1_900);
        self.daemons.insert(source.to_owned(), pid);
        pid
    }

    /// A process that has just been started.
    pub fn process(&mut self, rng: &mut Rng) -> u32 {
        // As Linux gives them out on 64 bits: rising, and from the beginning again at the limit.
        self.last_pid += rng.u32(1..40);
        if self.last_pid >= 4_194_304 {
            self.last_pid = 2_000;
        }
        self.last_pid
    }

    /// The next number of a kind that the host counts.
    pub fn next(&mut self, counter: &str) -> u64 {
        let first = self.rng.u64(30..400);
        let value = self.counters.entry(counter.to_owned()).or_insert(first);
        *value += 1;
        *value
    }
}

fn guest(number: u32, rng: &mut Rng) -> Value {
    let role = ROLES[rng.usize(..ROLES.len())];
    let (name, id) = (format!("{role}-{:02}", number + 1), number + 1);
    let escaped = name.replace('-', "\\x2d");
    let fields = vec![
        ("id", id.to_string()),
        ("uuid", uuid(rng)),
        ("mac", mac(rng)),
        ("ip", private_address(rng)),
        ("tap", number.to_string()),
        ("slot", (number + 2).to_string()),
        ("pid", rng.u32(2_000..400_000).to_string()),
        (
            "scope",
            format!("machine-qemu\\x2d{id}\\x2d{escaped}.scope"),
        ),
    ];
    Value { text: name, fields }
}

/// Digits to base 16.
pub fn hex(digits: usize, rng: &mut Rng) -> String {
    (0..digits).fold(String::with_capacity(digits), |mut text, _| {
        text.push(char::from_digit(rng.u32(..16), 16).unwrap_or('0'));
        text
    })
}

/// A random UUID (RFC 9562, version 4).
pub fn uuid(rng: &mut Rng) -> String {
    let variant = ["8", "9", "a", "b"][rng.usize(..4)];
    format!(
        "{}-{}-4{}-{variant}{}-{}",
        hex(8, rng),
        hex(4, rng),
        hex(3, rng),
        hex(3, rng),
        hex(12, rng)
    )
}

/// An address as QEMU's network cards have them.
pub fn mac(rng: &mut Rng) -> String {
    (0..3).fold("52:54:00".to_owned(), |mut text, _| {
        write!(text, ":{:02x}", rng.u8(..)).expect("writing to a string cannot fail");
        text
    })
}

/// An address of the own network (RFC 1918).
pub fn private_address(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.u8(0..4), rng.u8(0..8), rng.u8(2..250))
}

/// An address of somebody elsewhere, of those kept for documentation (RFC 5737), so that no real one is named.
pub fn public_address(rng: &mut Rng) -> String {
    let network = ["192.0.2", "198.51.100", "203.0.113"][rng.usize(..3)];
    format!("{network}.{}", rng.u8(1..=254))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> Host {
        Host::new("hv1", 0, Rng::with_seed(1))
    }

    #[test]
    fn a_daemon_keeps_its_process_and_new_processes_have_new_ones() {
        let mut host = host();
        let daemon = host.daemon("smartd");
        assert_eq!(host.daemon("smartd"), daemon);
        let mut rng = Rng::with_seed(2);
        let first = host.process(&mut rng);
        assert!(host.process(&mut rng) > first);
        host.last_pid = 4_194_303;
        assert_eq!(host.process(&mut rng), 2_000);
    }

    #[test]
    fn a_counter_goes_on_by_one() {
        let mut host = host();
        let first = host.next("session");
        assert_eq!(host.next("session"), first + 1);
    }

    #[test]
    fn no_two_guests_have_the_same_name_port_or_number() {
        let host = host();
        for (at, guest) in host.guests.iter().enumerate() {
            for other in &host.guests[..at] {
                assert_ne!(guest.text, other.text);
                for field in [0, 4, 5] {
                    assert_ne!(guest.fields[field], other.fields[field]);
                }
            }
        }
    }
}

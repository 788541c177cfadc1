//! What a message is about: a device, a guest or a unit, where it names one.

use serde::{Deserialize, Serialize};

use super::class::{SourceClass, SourceClasses};
use super::words::in_word;

/// Longer names are cut.
const NAME_MAX_BYTES: usize = 64;
/// Number of bytes at the beginning of a message that are searched.
const SEARCHED_BYTES: usize = 512;

/// What a failure is about, besides the host itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailureSubject {
    /// A device by the kernel's name, a part of it standing for the whole: `sda` for `sda1`, `nvme0` for `nvme0n1`.
    Device(String),
    /// A guest, by its name or number.
    Guest(String),
    /// A systemd unit.
    Unit(String),
}

impl FailureSubject {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Self::Device(name) | Self::Guest(name) | Self::Unit(name) => name,
        }
    }
}

/// How well a name identifies what fails; the best in a message decides.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Port,
    Address,
    Interface,
    Disk,
}

/// The subject of `text`, a message from sources of these classes.
pub(super) fn subject(text: &str, classes: SourceClasses) -> Option<FailureSubject> {
    let mut end = text.len().min(SEARCHED_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    if classes.contains(SourceClass::Init)
        && let Some(unit) = unit(text)
    {
        return Some(FailureSubject::Unit(cut(unit)));
    }
    if classes.contains(SourceClass::Vmm)
        && let Some(guest) = guest(text)
    {
        return Some(FailureSubject::Guest(cut(guest)));
    }
    device(text).map(FailureSubject::Device)
}

fn cut(name: &str) -> String {
    crate::text::shortened(name, NAME_MAX_BYTES)
}

/// The unit at the beginning of a message of systemd, or the one that it says it started or not.
fn unit(text: &str) -> Option<&str> {
    const KINDS: [&str; 6] = [
        ".service", ".mount", ".scope", ".socket", ".target", ".device",
    ];
    text.split_whitespace()
        .map(|word| word.trim_end_matches([':', '.', ',']))
        .find(|word| KINDS.iter().any(|kind| word.ends_with(kind)))
}

/// The guest that a message of the VMM stack names.
fn guest(text: &str) -> Option<&str> {
    const BEFORE: [&str; 6] = ["vm='", "vm=\"", "domain '", "name='", "instance: ", "VM "];
    BEFORE.iter().find_map(|before| {
        let at = find_ignoring_case(text, before)?;
        let rest = &text[at + before.len()..];
        let end = rest.find(|c: char| "'\"]:,".contains(c) || (*before == "VM " && c == ' '));
        let name = rest[..end.unwrap_or(rest.len())].trim();
        let is_name = match *before {
            // Proxmox's guests have numbers.
            "VM " => !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()),
            _ => !name.is_empty(),
        };
        is_name.then_some(name)
    })
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    let (text, what) = (text.as_bytes(), what.as_bytes());
    text.windows(what.len())
        .position(|window| window.eq_ignore_ascii_case(what))
}

/// The device that a message names.
fn device(text: &str) -> Option<String> {
    let mut best: Option<(Rank, String)> = None;
    for word in text.split(|c: char| c.is_whitespace() || "()[]{},;'\"=<>|".contains(c)) {
        let word = word.trim_end_matches([':', '.', '!']);
        let word = word.strip_prefix("/dev/").unwrap_or(word);
        // "md/raid1:md0", "EXT4-fs(dm-1)", "dev:sda".
        for part in [
            Some(word),
            word.rsplit_once([':', '/']).map(|(_, part)| part),
        ] {
            let Some((rank, name)) = part.and_then(known) else {
                continue;
            };
            if best.as_ref().is_none_or(|(other, _)| rank > *other) {
                best = Some((rank, name));
            }
            break;
        }
    }
    best.map(|(_, name)| name)
}

/// The device with this name.
fn known(word: &str) -> Option<(Rank, String)> {
    if word.len() > 32
        || word.len() < 3
        || !word.bytes().all(|b| in_word(b) || b":.-#".contains(&b))
    {
        return None;
    }
    let name = word.to_ascii_lowercase();
    let letters = name.bytes().take_while(u8::is_ascii_lowercase).count();
    let (stem, rest) = name.split_at(letters);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let whole = |rank| Some((rank, name.clone()));
    let to = |length: usize, rank| Some((rank, name[..length].to_owned()));
    let is_number = digits > 0 && digits == rest.len();
    match stem {
        // sda, sda1, vdb2.
        _ if (rest.is_empty() || is_number)
            && ["sd", "vd", "hd", "xvd"].iter().any(|kind| {
                stem.strip_prefix(kind)
                    .is_some_and(|unit| (1..=3).contains(&unit.len()))
            }) =>
        {
            to(letters, Rank::Disk)
        }
        // nvme0, nvme0n1, nvme0c1n1, nvme0n1p2; md0p1, mmcblk0p1, nbd0p1.
        "nvme" | "md" | "mmcblk" | "nbd" if digits > 0 => {
            let tail = &rest[digits..];
            let is_part = tail.is_empty() || tail.starts_with(['n', 'c', 'p']);
            is_part.then(|| (Rank::Disk, name[..letters + digits].to_owned()))
        }
        "loop" | "sr" | "fd" | "rbd" | "drbd" | "bcache" | "pmem" | "dasd" | "zram"
            if is_number =>
        {
            whole(Rank::Disk)
        }
        "dm" if rest.starts_with('-') && rest[1..].bytes().all(|b| b.is_ascii_digit()) => {
            to(name.len(), Rank::Disk)
        }
        "osd" | "mds"
            if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'.') =>
        {
            Some((
                Rank::Disk,
                format!("{stem}.{}", rest.trim_start_matches('.')),
            ))
        }
        "eth" | "bond" | "team" | "ib" | "br" | "vnet" | "tap" if is_number => {
            whole(Rank::Interface)
        }
        "eno" | "ens" | "enp" | "enx" | "ibp" | "ibs" if digits > 0 => whole(Rank::Interface),
        "ata" if digits > 0 => to(letters + digits, Rank::Port),
        "gpu" | "card" if is_number => whole(Rank::Port),
        "mpt" | "mptsas" if digits > 0 => whole(Rank::Port),
        "host" | "scsi" if is_number => whole(Rank::Port),
        _ => address(&name).map(|rank| (rank, name.clone())),
    }
}

/// Whether a name is the address of a PCI device (0000:3b:00.0, 3b:00.0) or of a SCSI device (0:0:1:0).
fn address(name: &str) -> Option<Rank> {
    let parts: Vec<&str> = name.split(':').collect();
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit())
    };
    let function = |text: &str| {
        text.split_once('.')
            .is_some_and(|(device, function)| hex(device, 2) && hex(function, 1))
    };
    let is_pci = match parts[..] {
        [domain, bus, last] => hex(domain, 4) && hex(bus, 2) && function(last),
        [bus, last] => hex(bus, 2) && function(last),
        _ => false,
    };
    let is_scsi = parts.len() == 4
        && parts
            .iter()
            .all(|part| (1..=5).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
    (is_pci || is_scsi).then_some(Rank::Address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, class: SourceClass) -> Option<FailureSubject> {
        subject(text, class.into())
    }

    #[test]
    fn a_device_is_named_as_a_whole() {
        for (text, device) in [
            (
                "Buffer I/O error on dev sda1, logical block 12",
                Some("sda"),
            ),
            ("sd 1:0:1:0: [sdb] tag#20 FAILED Result", Some("sdb")),
            (
                "sd 1:0:1:0: rejecting I/O to offline device",
                Some("1:0:1:0"),
            ),
            ("nvme nvme1: controller is down", Some("nvme1")),
            ("I/O error, dev nvme1n1, sector 8", Some("nvme1")),
            ("md/raid1:md0: Disk failure on sdb1", Some("md0")),
            ("EXT4-fs error (device dm-1): x", Some("dm-1")),
            ("XFS (vda2): log I/O error", Some("vda")),
            ("pcieport 0000:00:03.1: AER: Fatal", Some("0000:00:03.1")),
            (
                "ixgbe 0000:3b:00.0 eth2: Detected Tx Unit Hang",
                Some("eth2"),
            ),
            ("ata3.00: failed command: READ", Some("ata3")),
            // All processors of a host stall together.
            ("BUG: soft lockup - CPU#14 stuck for 23s!", None),
            ("libceph: osd3 down", Some("osd.3")),
            ("Out of memory: Killed process 12 (x)", None),
            ("model ST4000NM at 10:20:30", None),
        ] {
            let wanted = device.map(|name| FailureSubject::Device(name.into()));
            assert_eq!(of(text, SourceClass::Kernel), wanted, "{text}");
        }
    }

    #[test]
    fn guests_and_units_are_named_by_those_who_run_them() {
        for (text, guest) in [
            ("closed the monitor (vm='web 1')", Some("web 1")),
            ("operation failed: domain 'web' exists", Some("web")),
            ("VM 104 qmp command failed", Some("104")),
            ("VM entry failed", None),
        ] {
            let wanted = guest.map(|name| FailureSubject::Guest(name.into()));
            assert_eq!(of(text, SourceClass::Vmm), wanted, "{text}");
        }
        assert_eq!(
            of("libvirtd.service: Failed with result", SourceClass::Init),
            Some(FailureSubject::Unit("libvirtd.service".into()))
        );
    }

    #[test]
    fn a_long_name_is_cut() {
        let text = format!("domain '{}'", "x".repeat(400));
        assert!(of(&text, SourceClass::Vmm).unwrap().name().len() <= NAME_MAX_BYTES);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_searched(text in "\\PC{0,80}|([a-z]{2,5}[0-9]{0,3}[:.# n-]{0,2}){0,9}") {
            for class in SourceClass::ALL {
                of(&text, class);
            }
        }
    }
}

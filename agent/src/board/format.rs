//! The form of a file of the board: a header of [`HEADER_BYTES`], then [`HOSTS_MAX`] records of [`RECORD_BYTES`]. All numbers are
//! little-endian. Each part ends with the CRC-32 of its other bytes.
//!
//! | Header | | Record | |
//! | --- | --- | --- | --- |
//! | 0 | magic, 8 bytes | 0 | length of the name, 2 bytes, then 6 zeros |
//! | 8 | version | 8 | name, 256 bytes |
//! | 12 | bytes of a record | 264 | slot of each source: time, measure (8 bytes each), flags, 4 zeros |
//! | 16 | number of records in use | 360 | of the log half: time of the risk (8 bytes), risk within 10 and within 30 minutes (4 bytes each) |
//! | 20 | half: 0 log, 1 metrics | 376 | of the log half: flags of the risk |
//! | 24 | zeros, checksum at 60 | 380 | checksum |

use bellwether_sys::RiskSource;

use super::{HOSTS_MAX, Half, NAME_MAX_BYTES, Reading, Risk};
use crate::text::clean;

/// The length of the header.
pub(super) const HEADER_BYTES: usize = 64;
/// The length of a record.
pub(super) const RECORD_BYTES: usize = 384;
/// The length of a file.
pub(super) const FILE_BYTES: u64 = (HEADER_BYTES + HOSTS_MAX * RECORD_BYTES) as u64;

const MAGIC: [u8; 8] = *b"bwboard\n";
const VERSION: u32 = 1;
/// Where parts of a record begin.
const NAME_AT: usize = 8;
const SLOTS_AT: usize = NAME_AT + NAME_MAX_BYTES;
const SLOT_BYTES: usize = 24;
const SOURCES: [RiskSource; 4] = [
    RiskSource::Log,
    RiskSource::Had,
    RiskSource::Resource,
    RiskSource::Novelty,
];
const RISK_AT: usize = SLOTS_AT + SOURCES.len() * SLOT_BYTES;
const RISK_BYTES: usize = 20;
const _: () = assert!(RISK_AT + RISK_BYTES == RECORD_BYTES - 4);
/// The flags of a slot and of the risk.
const PRESENT: u32 = 1;
const PROVISIONAL: u32 = 2;
/// Further flags of the risk.
const CALIBRATED: u32 = 2;
const RAISED: u32 = 4;

/// A header.
pub(super) type Header = [u8; HEADER_BYTES];
/// A record.
pub(super) type Record = [u8; RECORD_BYTES];

const fn number(half: Half) -> u32 {
    match half {
        Half::Log => 0,
        Half::Metrics => 1,
    }
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn float(bytes: &[u8], at: usize) -> f64 {
    f64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn single(bytes: &[u8], at: usize) -> f32 {
    f32::from_bits(word(bytes, at))
}

/// Writes the checksum of the rest to the end.
fn seal(bytes: &mut [u8]) {
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    put(bytes, end, &sum.to_le_bytes());
}

fn is_sealed(bytes: &[u8]) -> bool {
    let end = bytes.len() - 4;
    crc32fast::hash(&bytes[..end]) == word(bytes, end)
}

/// The header of a half with this number of records in use.
pub(super) fn header(half: Half, used: usize) -> Header {
    let mut bytes = [0; HEADER_BYTES];
    put(&mut bytes, 0, &MAGIC);
    put(&mut bytes, 8, &VERSION.to_le_bytes());
    put(&mut bytes, 12, &(RECORD_BYTES as u32).to_le_bytes());
    put(&mut bytes, 16, &(used as u32).to_le_bytes());
    put(&mut bytes, 20, &number(half).to_le_bytes());
    seal(&mut bytes);
    bytes
}

/// The number of records in use of a half's file with this header.
///
/// # Errors
/// What is wrong with it.
pub(super) fn used(bytes: &[u8], half: Half) -> Result<usize, String> {
    if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
        return Err("it is not a file of the board".into());
    }
    let bytes = &bytes[..HEADER_BYTES];
    let version = word(bytes, 8);
    if version != VERSION {
        return Err(format!(
            "it has version {version}, and this plugin reads version {VERSION}; install the same version of both plugins"
        ));
    }
    let used = word(bytes, 16) as usize;
    let is_whole = is_sealed(bytes)
        && word(bytes, 12) == RECORD_BYTES as u32
        && word(bytes, 20) == number(half)
        && used <= HOSTS_MAX;
    match is_whole {
        true => Ok(used),
        false => Err("its header is damaged".into()),
    }
}

/// The record of a host; `name` has at most [`NAME_MAX_BYTES`].
pub(super) fn record(name: &str, readings: &[Reading], risk: Option<Risk>) -> Record {
    let mut bytes = [0; RECORD_BYTES];
    put(&mut bytes, 0, &(name.len() as u16).to_le_bytes());
    put(&mut bytes, NAME_AT, name.as_bytes());
    for reading in readings {
        let slot = SOURCES.iter().position(|source| *source == reading.source);
        let at = SLOTS_AT + slot.expect("all sources have a slot") * SLOT_BYTES;
        let provisional = if reading.provisional { PROVISIONAL } else { 0 };
        put(&mut bytes, at, &reading.time.to_le_bytes());
        put(&mut bytes, at + 8, &reading.measure.to_le_bytes());
        put(&mut bytes, at + 16, &(PRESENT | provisional).to_le_bytes());
    }
    if let Some(risk) = risk {
        let calibrated = if risk.calibrated { CALIBRATED } else { 0 };
        let raised = if risk.raised { RAISED } else { 0 };
        let flags = PRESENT | calibrated | raised;
        put(&mut bytes, RISK_AT, &risk.time.to_le_bytes());
        put(&mut bytes, RISK_AT + 8, &risk.risk_10min.to_le_bytes());
        put(&mut bytes, RISK_AT + 12, &risk.risk_30min.to_le_bytes());
        put(&mut bytes, RISK_AT + 16, &flags.to_le_bytes());
    }
    seal(&mut bytes);
    bytes
}

/// The host of a record, and what the sources of this half say about it; `None` if it is damaged.
pub(super) fn parse(
    bytes: &[u8],
    half: Half,
) -> Option<(&str, impl Iterator<Item = Reading> + Clone)> {
    if !is_sealed(bytes) {
        return None;
    }
    let length = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    if !(1..=NAME_MAX_BYTES).contains(&length) {
        return None;
    }
    let name = std::str::from_utf8(&bytes[NAME_AT..NAME_AT + length]).ok()?;
    if clean(name) != name {
        return None;
    }
    let readings = SOURCES.into_iter().enumerate();
    let readings = readings.filter(move |(_, source)| half.sources().contains(source));
    let readings = readings.filter_map(move |(slot, source)| {
        let at = SLOTS_AT + slot * SLOT_BYTES;
        let flags = word(bytes, at + 16);
        let (time, measure) = (float(bytes, at), float(bytes, at + 8));
        (flags & PRESENT != 0 && time.is_finite()).then_some(Reading {
            source,
            time,
            measure,
            provisional: flags & PROVISIONAL != 0,
        })
    });
    Some((name, readings))
}

/// The risk in a record that [`parse`] accepts; `None` where the half has none, and where it is no probability at a time.
pub(super) fn risk(bytes: &[u8], half: Half) -> Option<Risk> {
    let flags = word(bytes, RISK_AT + 16);
    let risk = Risk {
        time: float(bytes, RISK_AT),
        risk_10min: single(bytes, RISK_AT + 8),
        risk_30min: single(bytes, RISK_AT + 12),
        calibrated: flags & CALIBRATED != 0,
        raised: flags & RAISED != 0,
    };
    let is_share = |value: f32| (0.0..=1.0).contains(&value);
    let is_known = half.has_risk()
        && flags & PRESENT != 0
        && risk.time.is_finite()
        && is_share(risk.risk_10min)
        && is_share(risk.risk_30min);
    is_known.then_some(risk)
}

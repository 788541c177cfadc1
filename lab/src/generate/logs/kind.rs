//! What can be drawn for the places in a log line.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::host::{self, Value};
use super::pattern::{Bound, Pattern, Urn};
use super::time::MICROS;

/// What can be drawn.
#[derive(Debug, Clone)]
pub enum Kind {
    /// `n:LO-HI`: a whole number, both ends included.
    Integer(u64, u64),
    /// `f:LO-HI`: a number with as many decimals as LO has.
    Decimal(f64, f64, usize),
    /// `hex:N` and `HEX:N`: so many digits to base 16.
    Hex { digits: usize, upper: bool },
    /// `b64:N`: so many characters of base 64.
    Base64(usize),
    /// `pick:A|B|C`: one of these patterns.
    Pick(Vec<Pattern>),
    /// `near:NAME:D`: a number at most D away from what NAME is, and not the same.
    Near(String, i64),
    /// `next:NAME`: the next number of a kind that the host counts.
    Next(String),
    /// `time:FORMAT`: the time of the line, as strftime writes it.
    Time(String),
    /// `epoch`: the time of the line in seconds since the epoch, with milliseconds.
    Epoch,
    /// `ip`: an address of the own network.
    Ip,
    /// `wan`: an address of somebody elsewhere.
    Wan,
    /// `mac`: the address of a network card of QEMU.
    Mac,
    /// `uuid`: a random one.
    Uuid,
    /// `port`: of a client.
    Port,
    /// `pid`: a process that has just been started.
    Pid,
    /// `user`: somebody who may log in, with the field `uid`.
    User,
    /// `vm`: a guest, with the fields `id`, `uuid`, `mac`, `ip`, `tap`, `slot`, `pid` and `scope`.
    Vm,
    /// `host`: the host's name.
    Host,
    /// `kernel`: its kernel's release.
    Kernel,
    /// `board`: what the kernel calls its hardware.
    Board,
}

/// The alternatives between bars, those within places left alone.
fn alternatives(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            b'|' if depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}

impl Kind {
    /// Reads a kind with its arguments; `known` as for [`Pattern::parse`].
    ///
    /// # Errors
    /// What is no kind, and arguments that it does not take.
    pub fn parse(text: &str, known: &mut BTreeSet<String>) -> Result<Self> {
        let (kind, arguments) = text.split_once(':').unwrap_or((text, ""));
        let range = || {
            arguments
                .split_once('-')
                .with_context(|| format!("\"{{{text}}}\" takes LO-HI"))
        };
        let count = || {
            let digits = arguments.parse::<usize>();
            digits.with_context(|| format!("\"{{{text}}}\" takes a number of characters"))
        };
        Ok(match kind {
            "n" => {
                let (low, high) = range()?;
                let (low, high) = (low.parse()?, high.parse()?);
                ensure!(low <= high, "\"{{{text}}}\" ends before it begins");
                Self::Integer(low, high)
            }
            "f" => {
                let (low, high) = range()?;
                let decimals = low
                    .split_once('.')
                    .map_or(0, |(_, decimals)| decimals.len());
                Self::Decimal(low.parse()?, high.parse()?, decimals)
            }
            "hex" | "HEX" => Self::Hex {
                digits: count()?,
                upper: kind == "HEX",
            },
            "b64" => Self::Base64(count()?),
            "pick" => {
                let options = alternatives(arguments).into_iter();
                Self::Pick(
                    options
                        .map(|option| Pattern::parse(option, known))
                        .collect::<Result<_>>()?,
                )
            }
            "near" => {
                let (name, distance) = arguments
                    .split_once(':')
                    .filter(|(name, _)| known.contains(*name))
                    .with_context(|| format!("\"{{{text}}}\" takes NAME:DISTANCE"))?;
                let distance = distance.parse()?;
                ensure!(distance > 0, "\"{{{text}}}\" takes a distance above 0");
                Self::Near(name.to_owned(), distance)
            }
            "next" => Self::Next(arguments.to_owned()),
            "time" => Self::Time(arguments.to_owned()),
            "epoch" => Self::Epoch,
            "ip" => Self::Ip,
            "wan" => Self::Wan,
            "mac" => Self::Mac,
            "uuid" => Self::Uuid,
            "port" => Self::Port,
            "pid" => Self::Pid,
            "user" => Self::User,
            "vm" => Self::Vm,
            "host" => Self::Host,
            "kernel" => Self::Kernel,
            "board" => Self::Board,
            _ => bail!("\"{{{text}}}\" is neither a kind nor was it drawn before"),
        })
    }

    /// Draws one; `None` where it depends on what was not drawn.
    pub fn draw(&self, urn: &mut Urn<'_>, bound: &mut Bound) -> Option<Value> {
        let rng = &mut *urn.rng;
        let text = match self {
            Self::Integer(low, high) => rng.u64(low..=high).to_string(),
            Self::Decimal(low, high, decimals) => {
                format!("{:.decimals$}", low + (high - low) * rng.f64())
            }
            Self::Hex { digits, upper } => {
                let text = host::hex(*digits, rng);
                if *upper { text.to_uppercase() } else { text }
            }
            Self::Base64(length) => (0..*length).map(|_| rng.alphanumeric()).collect(),
            Self::Pick(options) => {
                let mut text = String::new();
                let option = &options[rng.usize(..options.len())];
                if !option.fill(urn, bound, &mut text) {
                    return None;
                }
                text
            }
            Self::Near(name, distance) => {
                let value: i64 = bound.get(name)?.text.parse().ok()?;
                let step = rng.i64(1..=*distance);
                (value + if rng.bool() { step } else { -step }).to_string()
            }
            Self::Next(counter) => urn.host.next(counter).to_string(),
            Self::Time(format) => {
                let time = Timestamp::from_microsecond(urn.time).ok()?;
                time.to_zoned(TimeZone::UTC).strftime(format).to_string()
            }
            Self::Epoch => {
                let (seconds, micros) = (urn.time.div_euclid(MICROS), urn.time.rem_euclid(MICROS));
                format!("{seconds}.{:03}", micros / 1_000)
            }
            Self::Ip => host::private_address(rng),
            Self::Wan => host::public_address(rng),
            Self::Mac => host::mac(rng),
            Self::Uuid => host::uuid(rng),
            Self::Port => rng.u16(1_024..).to_string(),
            Self::Pid => urn.host.process(rng).to_string(),
            Self::User => return Some(urn.host.people[rng.usize(..urn.host.people.len())].clone()),
            Self::Vm => return Some(urn.host.guests[rng.usize(..urn.host.guests.len())].clone()),
            Self::Host => urn.host.name.clone(),
            Self::Kernel => urn.host.kernel.to_owned(),
            Self::Board => urn.host.board.to_owned(),
        };
        Some(text.into())
    }
}

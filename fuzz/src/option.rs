//! Values of options.

use arbitrary::Arbitrary;
use bellwether_core::options::{Kind, Spec};

/// An option, and what it is set to.
#[derive(Arbitrary, Debug, Clone)]
pub struct Setting<'a> {
    option: u8,
    value: Value<'a>,
}

#[derive(Arbitrary, Debug, Clone)]
enum Value<'a> {
    /// So far above the least that is allowed.
    Above(u8),
    /// So far below the most that is allowed.
    Below(u8),
    /// A share of what is allowed, of 255.
    Share(u8),
    /// One of the words that some option takes.
    Word(u8),
    /// Anything.
    Text(&'a str),
}

/// Words that some option takes, or nearly.
const WORDS: [&str; 12] = [
    "true",
    "false",
    "cpu,disk_ops",
    "cpu",
    ",",
    "",
    "VM=vm-[0-9]+",
    "A=(a|b)+ ; B=x{2}",
    "DISK=sd[a-z]\\w* ; PAIR=<:DISK:>/\\w+",
    "_=,",
    "<:*>",
    "A=(",
];

impl Setting<'_> {
    /// The option's name and the value. No setting has the plugin read a file of this machine.
    pub fn of<'s>(&self, specs: &'s [Spec]) -> (&'s str, String) {
        let spec = &specs[usize::from(self.option) % specs.len()];
        let value = match (&self.value, spec.kind) {
            _ if spec.unit == "path" => String::new(),
            (Value::Text(text), _) => (*text).to_owned(),
            (Value::Above(n), Kind::Integer { min, .. }) => (min + u64::from(*n)).to_string(),
            (Value::Below(n), Kind::Integer { max, .. }) => {
                max.saturating_sub((*n).into()).to_string()
            }
            (Value::Share(n), Kind::Integer { min, max }) => {
                (min + (max - min) / 255 * u64::from(*n)).to_string()
            }
            (Value::Above(n), Kind::Number { min, .. }) => (min + f64::from(*n)).to_string(),
            (Value::Below(n), Kind::Number { max, .. }) => (max - f64::from(*n)).to_string(),
            (Value::Share(n), Kind::Number { min, max }) => {
                (min + (max - min) / 255.0 * f64::from(*n)).to_string()
            }
            (Value::Above(n) | Value::Below(n) | Value::Share(n), Kind::Choice(words)) => {
                words[usize::from(*n) % words.len()].to_owned()
            }
            (Value::Above(n) | Value::Below(n) | Value::Share(n) | Value::Word(n), _) => {
                WORDS[usize::from(*n) % WORDS.len()].to_owned()
            }
        };
        (spec.name, value)
    }
}

/// Settings that are held within memory that a fuzzer has, behind those that were drawn.
pub fn modest(name: &str) -> Option<&'static str> {
    match name {
        "zscore_window_long_sz" | "zscore_window_short_sz" | "iad_window_sz" => Some("500"),
        "drain_max_bytes" | "max_bytes" => Some("1000000"),
        "max_line_bytes" | "drain_max_line_bytes" => Some("8192"),
        _ => None,
    }
}

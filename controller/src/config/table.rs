//! Settings of the controller itself, declared once: section, name, type, default, range, unit and one line of help.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Value;

/// The documentation of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name within its section.
    pub name: &'static str,
    /// The default, as a user would write it; empty if there is none.
    pub default: &'static str,
    /// What it takes, in words.
    pub takes: &'static str,
    /// The unit, or an empty text.
    pub unit: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// A type of a setting.
pub(super) trait Readable: Sized {
    /// The value, or `None` if it is none of the type or outside of the range.
    fn read(value: &Value, least: f64, most: f64) -> Option<Self>;
}

impl Readable for bool {
    fn read(value: &Value, _: f64, _: f64) -> Option<Self> {
        value.as_bool()
    }
}

impl Readable for usize {
    fn read(value: &Value, least: f64, most: f64) -> Option<Self> {
        let number = value.as_integer()?;
        ((least..=most).contains(&(number as f64))).then_some(number as usize)
    }
}

impl Readable for f64 {
    fn read(value: &Value, least: f64, most: f64) -> Option<Self> {
        let number = match value {
            Value::Integer(number) => *number as f64,
            Value::Float(number) => *number,
            _ => return None,
        };
        (least..=most).contains(&number).then_some(number)
    }
}

impl Readable for String {
    fn read(value: &Value, _: f64, most: f64) -> Option<Self> {
        let text = value.as_str()?;
        (text.len() as f64 <= most).then(|| text.to_owned())
    }
}

impl Readable for Option<PathBuf> {
    fn read(value: &Value, _: f64, _: f64) -> Option<Self> {
        let text = value.as_str()?;
        Some((!text.is_empty()).then(|| text.into()))
    }
}

impl Readable for SocketAddr {
    fn read(value: &Value, _: f64, _: f64) -> Option<Self> {
        value.as_str()?.parse().ok()
    }
}

/// The words of a command: the program and its arguments. Empty if there is none.
impl Readable for Vec<String> {
    fn read(value: &Value, _: f64, _: f64) -> Option<Self> {
        let words = value.as_array()?.iter();
        words.map(|word| Some(word.as_str()?.to_owned())).collect()
    }
}

/// Declares the struct of a section together with its table, so that they cannot diverge.
macro_rules! section {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($field:ident: $ty:ty = $default:literal, $least:literal..$most:literal, $takes:literal, $unit:literal, $help:literal;)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $(#[doc = $help] pub $field: $ty,)+ }

        impl $name {
            /// The table of its settings, in the order in which they are documented.
            pub const SETTINGS: &'static [crate::config::table::Setting] = &[$(crate::config::table::Setting {
                name: stringify!($field), default: $default, takes: $takes, unit: $unit, help: $help,
            }),+];

            /// Sets one; `Err` with what it takes if the value is not allowed, `Ok(false)` if there is no such setting.
            pub(super) fn set(&mut self, name: &str, value: &toml::Value) -> Result<bool, &'static str> {
                $(if name == stringify!($field) {
                    let read = crate::config::table::Readable::read(value, $least as f64, $most as f64);
                    self.$field = read.ok_or($takes)?;
                    return Ok(true);
                })+
                Ok(false)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: {
                    let default = crate::config::table::value($default);
                    crate::config::table::Readable::read(&default, $least as f64, $most as f64)
                        .expect("the default is one that the setting takes")
                },)+ }
            }
        }
    };
}
pub(super) use section;

/// The TOML value of a default.
pub(super) fn value(default: &str) -> Value {
    let table: toml::Table = format!("x = {default}").parse().expect("a default is TOML");
    table["x"].clone()
}

//! A plugin's own options, each once in a table: name, type, default, unit and a line of help. The options of a detector are known
//! to the core alone and pass through a plugin as text.
//!
//! ```
//! use bellwether_agent::options::{Kind, OwnOption};
//!
//! const QUEUE_LENGTH: OwnOption = OwnOption {
//!     name: "queue_length",
//!     kind: Kind::Integer { min: 1, max: 1000 },
//!     allowed: "",
//!     default: "100",
//!     unit: "events",
//!     help: "Maximum number of events that wait.",
//! };
//! assert_eq!(QUEUE_LENGTH.integer(QUEUE_LENGTH.default), Ok(100usize));
//! let refusal = QUEUE_LENGTH.integer::<usize>("0").unwrap_err();
//! assert_eq!(
//!     refusal.to_string(),
//!     "option \"queue_length\": \"0\" is not allowed; it takes 1 to 1000 (events)"
//! );
//! ```

use std::fmt;

pub use bellwether_core::options::{Kind, camel_case, nearest};

/// One option of a plugin itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OwnOption {
    /// The name, in snake case.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The same in words; empty where they are the kind's own.
    pub allowed: &'static str,
    /// The default, as a user would write it; empty where there is none.
    pub default: &'static str,
    /// The unit, or an empty string.
    pub unit: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// The kind of an option whose text the plugin alone parses.
pub const TEXT: Kind = Kind::Text { max: usize::MAX };

/// The file for the learned state.
pub const STATE_FILE: OwnOption = OwnOption {
    name: "state_file",
    kind: TEXT,
    allowed: "a path",
    default: "",
    unit: "",
    help: "File for the learned state. Without it the detector relearns after every restart.",
};

/// The time between two saves.
pub const STATE_INTERVAL: OwnOption = OwnOption {
    name: "state_interval",
    kind: Kind::Number {
        min: 1.0,
        max: 86400.0,
    },
    allowed: "",
    default: "300",
    unit: "seconds",
    help: "Time between two saves of the learned state. It is also saved after an event and at shutdown.",
};

/// A value that an option does not take. Its text says which, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    name: &'static str,
    value: String,
    allowed: String,
    hint: String,
}

impl Refusal {
    /// The message with the option's name as the agent's users write it.
    pub fn naming(&self, name: &str) -> String {
        let Self {
            value,
            allowed,
            hint,
            ..
        } = self;
        format!("option {name}: \"{value}\" is not allowed; it takes {allowed}{hint}")
    }

    /// The option's name in the table.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.naming(&format!("\"{}\"", self.name)))
    }
}

impl std::error::Error for Refusal {}

impl OwnOption {
    /// What it takes, with the unit.
    pub fn allowed(&self) -> String {
        let allowed = match self.allowed {
            "" => self.kind.allowed(),
            allowed => allowed.into(),
        };
        with_unit(allowed, self.unit)
    }

    /// The refusal of `value`; `hint` is empty or starts with a space, as [`did_you_mean`] gives it.
    pub fn refuse(&self, value: &str, hint: impl Into<String>) -> Refusal {
        Refusal {
            name: self.name,
            value: value.into(),
            allowed: self.allowed(),
            hint: hint.into(),
        }
    }

    /// The value of a [`Kind::Flag`].
    ///
    /// # Errors
    /// It is no such word.
    pub fn flag(&self, value: &str) -> Result<bool, Refusal> {
        match value.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(self.refuse(value, "")),
        }
    }

    /// The value of a [`Kind::Integer`].
    ///
    /// # Errors
    /// It is no whole number, or out of bounds.
    pub fn integer<T: TryFrom<u64>>(&self, value: &str) -> Result<T, Refusal> {
        let within = |number: &u64| matches!(self.kind, Kind::Integer { min, max } if (min..=max).contains(number));
        let number = value.parse().ok().filter(within);
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.refuse(value, ""))
    }

    /// The value of a [`Kind::Number`].
    ///
    /// # Errors
    /// It is no number, or out of bounds.
    pub fn number(&self, value: &str) -> Result<f64, Refusal> {
        let within = |number: &f64| matches!(self.kind, Kind::Number { min, max } if (min..=max).contains(number));
        let number = value.parse().ok().filter(within);
        number.ok_or_else(|| self.refuse(value, ""))
    }

    /// The value of a [`Kind::Choice`]: what `words` has for it, which are those of the kind with their meanings.
    ///
    /// # Errors
    /// It is none of the words; the nearest one is suggested.
    pub fn choice<T: Copy>(&self, value: &str, words: &[(&'static str, T)]) -> Result<T, Refusal> {
        let lower = value.to_ascii_lowercase();
        let found = words.iter().find(|(word, _)| *word == lower);
        found.map(|&(_, meaning)| meaning).ok_or_else(|| {
            let known = words.iter().map(|&(word, _)| word);
            self.refuse(value, did_you_mean(value, known))
        })
    }

    /// The value of a [`Kind::Text`] that must not be empty.
    ///
    /// # Errors
    /// It is empty.
    pub fn text(&self, value: &str) -> Result<String, Refusal> {
        if value.is_empty() {
            Err(self.refuse(value, ""))
        } else {
            Ok(value.into())
        }
    }
}

/// Sets each option of `table` to what the configuration has `given` for its name, or else to its default, if any.
///
/// # Errors
/// All refusals, in the order of the table.
pub fn read(
    table: &[OwnOption],
    given: impl Fn(&str) -> Option<String>,
    mut set: impl FnMut(&OwnOption, &str) -> Result<(), Refusal>,
) -> Result<(), Vec<Refusal>> {
    let mut refusals = Vec::new();
    for option in table {
        let value = match given(option.name) {
            Some(value) => value,
            None if option.default.is_empty() => continue,
            None => option.default.into(),
        };
        refusals.extend(set(option, value.trim()).err());
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        Err(refusals)
    }
}

/// ` (did you mean …?)` where one of `names` is near to `word`, else nothing.
///
/// ```
/// use bellwether_agent::options::did_you_mean;
///
/// assert_eq!(did_you_mean("inlin", ["auto", "inline"]), " (did you mean inline?)");
/// assert_eq!(did_you_mean("zzz", ["auto", "inline"]), "");
/// ```
pub fn did_you_mean<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, names)
        .map(|name| format!(" (did you mean {name}?)"))
        .unwrap_or_default()
}

/// What an option takes, followed by its unit in parentheses, if any.
pub fn with_unit(allowed: String, unit: &str) -> String {
    match unit {
        "" => allowed,
        unit => format!("{allowed} ({unit})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: OwnOption = OwnOption {
        name: "mode",
        kind: Kind::Choice(&["auto", "inline"]),
        allowed: "",
        default: "auto",
        unit: "",
        help: "",
    };

    const FLAG: OwnOption = OwnOption {
        name: "flag",
        kind: Kind::Flag,
        allowed: "",
        default: "",
        unit: "",
        help: "",
    };

    #[test]
    fn a_value_out_of_bounds_is_refused_with_the_bounds_and_the_unit() {
        for value in ["0.5", "86401", "NaN", "soon", ""] {
            assert_eq!(
                STATE_INTERVAL.number(value).unwrap_err().to_string(),
                format!(
                    "option \"state_interval\": \"{value}\" is not allowed; it takes 1 to 86400 (seconds)"
                )
            );
        }
        assert_eq!(STATE_INTERVAL.number("1.5"), Ok(1.5));
        let length = OwnOption {
            kind: Kind::Integer { min: 2, max: 300 },
            ..FLAG
        };
        assert_eq!(length.integer("300"), Ok(300u16));
        for value in ["1", "301", "-1", "2.5", "many"] {
            assert!(length.integer::<u16>(value).is_err(), "{value}");
        }
        // A number that the type cannot hold is none that is silently cut.
        assert!(length.integer::<u8>("300").is_err());
    }

    #[test]
    fn a_word_is_taken_in_any_case_and_the_nearest_one_is_suggested() {
        let words = [("auto", 1), ("inline", 2)];
        assert_eq!(MODE.choice("Inline", &words), Ok(2));
        assert_eq!(
            MODE.choice("inlin", &words).unwrap_err().naming("Mode"),
            "option Mode: \"inlin\" is not allowed; it takes auto, inline (did you mean inline?)"
        );
        assert!(FLAG.flag("On").unwrap() && !FLAG.flag("0").unwrap());
        assert!(FLAG.flag("maybe").is_err());
    }

    #[test]
    fn defaults_fill_what_is_not_given_and_every_refusal_is_reported() {
        let table = [MODE, STATE_FILE, STATE_INTERVAL];
        let mut seen = Vec::new();
        let given = |name: &str| (name == "state_interval").then(|| " 60 ".to_owned());
        read(&table, given, |option, value| {
            seen.push((option.name, value.to_owned()));
            Ok(())
        })
        .unwrap();
        let expected = [("mode", "auto"), ("state_interval", "60")];
        assert_eq!(seen, expected.map(|(name, value)| (name, value.to_owned())));
        let refused = read(
            &table,
            |_| Some("x".into()),
            |option, value| Err(option.refuse(value, "")),
        );
        let names: Vec<_> = refused.unwrap_err().iter().map(Refusal::name).collect();
        assert_eq!(names, ["mode", "state_file", "state_interval"]);
    }

    #[test]
    fn an_empty_path_is_refused() {
        assert!(STATE_FILE.text("").is_err());
        assert_eq!(STATE_FILE.text("/x"), Ok("/x".into()));
    }
}

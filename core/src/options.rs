//! Every option of a detector, declared once: name, type, default, range, unit and one line of help.
//!
//! An agent's configuration reaches a detector as (name, value) strings. This module alone parses, checks and documents them; the
//! help of the command, the tables of the documentation and the man pages are generated from [`Spec`]s.
//!
//! ```
//! use bellwether_core::had::HadOptions;
//! use bellwether_core::options::Options as _;
//!
//! let mut options = HadOptions::default();
//! options.set("interval", "60")?;
//! assert_eq!(options.get("interval").as_deref(), Some("60"));
//! let error = options.set("intervall", "60").unwrap_err();
//! assert!(error.to_string().contains("did you mean \"interval\"?"));
//! assert_eq!(error.option(), "intervall");
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

use std::fmt::Write as _;

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `true` or `false` (also `yes`/`no`, `on`/`off`, `1`/`0`).
    Flag,
    /// A whole number between the two bounds, both included.
    Integer {
        /// The smallest value allowed.
        min: u64,
        /// The largest value allowed.
        max: u64,
    },
    /// A finite number between the two bounds, both included.
    Number {
        /// The smallest value allowed.
        min: f64,
        /// The largest value allowed.
        max: f64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of words, separated by commas: at least one and at most `max`.
    Words {
        /// The largest number of words.
        max: usize,
    },
    /// Any text of at most `max` bytes.
    Text {
        /// The largest number of bytes.
        max: usize,
    },
}

impl Kind {
    /// The name of the type in the documentation.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Flag => "flag",
            Kind::Integer { .. } => "integer",
            Kind::Number { .. } => "number",
            Kind::Choice(_) => "choice",
            Kind::Words { .. } => "list",
            Kind::Text { .. } => "text",
        }
    }

    /// The allowed values in words, for documentation and errors.
    pub fn allowed(&self) -> String {
        match self {
            Kind::Flag => "true or false".into(),
            Kind::Integer { min, max } => format!("{min} to {max}"),
            Kind::Number { min, max } => format!("{min} to {max}"),
            Kind::Choice(words) => words.join(", "),
            Kind::Words { max } => format!("1 to {max} words separated by commas"),
            Kind::Text { max } => format!("at most {max} bytes"),
        }
    }
}

/// The documentation of an option.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spec {
    /// The option's name, in snake case.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// The default, as a user would write it.
    pub default: &'static str,
    /// The unit of the value, or an empty string.
    pub unit: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// Names of earlier versions and of other programs, without `prefix`.
    pub(crate) own_aliases: &'static [&'static str],
    /// The prefix of the names if the option is nested in others, or an empty string.
    pub(crate) prefix: &'static str,
}

impl Spec {
    /// Other names that are accepted: those of earlier versions and those that other programs have for it.
    pub fn aliases(&self) -> impl Iterator<Item = String> {
        self.own_aliases
            .iter()
            .map(|alias| self.prefix.to_owned() + alias)
    }

    /// Whether `name` is its name or an alias.
    pub fn is_named(&self, name: &str) -> bool {
        let inner = name.strip_prefix(self.prefix);
        self.name == name || inner.is_some_and(|inner| self.own_aliases.contains(&inner))
    }
}

/// Options that are set by name.
pub trait Options: Clone + Default {
    /// The table of the options, in the order in which they are documented.
    const SPECS: &'static [Spec];

    /// Sets the option `name`, or the one with this alias, to `value`.
    ///
    /// # Errors
    /// An unknown name or a value that is not allowed; the options are then unchanged.
    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError>;

    /// The value of the option `name` as a user would write it, or `None` if there is no such option.
    fn get(&self, name: &str) -> Option<String>;

    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// Options that contradict each other.
    fn validate(&self) -> Result<(), OptionError>;
}

/// Why an option was refused. The message names the option, the value and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// There is no option with this name.
    #[error("unknown option \"{name}\"{}; the options are: {known}", .nearest.map(|n| format!(" (did you mean \"{n}\"?)")).unwrap_or_default())]
    Unknown {
        /// The name that was given.
        name: String,
        /// The nearest existing name, if one is near.
        nearest: Option<&'static str>,
        /// All names, separated by commas.
        known: String,
    },
    /// The option does not allow the value.
    #[error("option \"{name}\": \"{value}\" is not allowed; it takes {allowed}{}", if .unit.is_empty() { String::new() } else { format!(" ({unit})") })]
    Value {
        /// The option's name.
        name: &'static str,
        /// The value that was given.
        value: String,
        /// What is allowed.
        allowed: String,
        /// The unit of the value, or an empty string.
        unit: &'static str,
    },
    /// The option contradicts another one.
    #[error("option \"{name}\": {message}")]
    Conflict {
        /// The option's name.
        name: &'static str,
        /// What contradicts what, and what would be right.
        message: String,
    },
    /// The name is reserved for a later version.
    #[error("option \"{name}\" is reserved for a later version and cannot be set yet")]
    Reserved {
        /// The name that was given.
        name: String,
    },
}

impl OptionError {
    /// The name of the option, as it was given.
    pub fn option(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::Reserved { name } => name,
            Self::Value { name, .. } | Self::Conflict { name, .. } => name,
        }
    }

    /// The same error for an option nested in others, where its name has `prefix`.
    pub(crate) fn nested(self, prefix: &str, specs: &'static [Spec]) -> Self {
        let outer = |inner: &'static str| {
            let is_it = |spec: &&Spec| spec.name.strip_prefix(prefix) == Some(inner);
            specs.iter().find(is_it).map_or(inner, |spec| spec.name)
        };
        match self {
            Self::Value {
                name,
                value,
                allowed,
                unit,
            } => Self::Value {
                name: outer(name),
                value,
                allowed,
                unit,
            },
            Self::Conflict { name, message } => Self::Conflict {
                name: outer(name),
                message,
            },
            Self::Reserved { name } => Self::Reserved {
                name: prefix.to_owned() + &name,
            },
            unknown @ Self::Unknown { .. } => unknown,
        }
    }
}

/// A type of an option's value.
pub(crate) trait Value: Sized {
    /// The value of `text`, or `None` if `kind` does not allow it.
    fn parse(text: &str, kind: &Kind) -> Option<Self>;
    /// The value as a user would write it.
    fn show(&self) -> String;
}

impl Value for bool {
    fn parse(text: &str, _: &Kind) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for usize {
    fn parse(text: &str, kind: &Kind) -> Option<Self> {
        let value: u64 = match text.parse() {
            Ok(value) => value,
            // collectd passes all numbers as floating point: "31.0" is the integer 31.
            Err(_) => {
                text.parse::<f64>()
                    .ok()
                    .filter(|x| x.fract() == 0.0 && (0.0..1e15).contains(x))? as u64
            }
        };
        match *kind {
            Kind::Integer { min, max } if (min..=max).contains(&value) => Some(value as usize),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for f64 {
    fn parse(text: &str, kind: &Kind) -> Option<Self> {
        let value: f64 = text.parse().ok()?;
        match *kind {
            Kind::Number { min, max } if (min..=max).contains(&value) => Some(value),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Vec<String> {
    fn parse(text: &str, kind: &Kind) -> Option<Self> {
        let mut words: Vec<String> = Vec::new();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            if !words.iter().any(|w| w == word) {
                words.push(word.to_owned());
            }
        }
        match *kind {
            Kind::Words { max } if (1..=max).contains(&words.len()) => Some(words),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.join(",")
    }
}

impl Value for String {
    fn parse(text: &str, kind: &Kind) -> Option<Self> {
        match *kind {
            Kind::Text { max } if text.len() <= max => Some(text.to_owned()),
            _ => None,
        }
    }
    fn show(&self) -> String {
        self.clone()
    }
}

/// Implements [`Value`] for an enum whose variants have one word each.
macro_rules! choice {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }
        impl $name {
            /// The words that stand for the variants in a configuration.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
        }
        impl crate::options::Value for $name {
            fn parse(text: &str, _: &crate::options::Kind) -> Option<Self> {
                match text.to_ascii_lowercase().as_str() { $($word => Some(Self::$variant),)+ _ => None }
            }
            fn show(&self) -> String {
                match self { $(Self::$variant => $word.to_owned()),+ }
            }
        }
    };
}
pub(crate) use choice;

/// Maximum length of an option's name with a prefix, in bytes.
pub(crate) const NAME_MAX_BYTES: usize = 48;

/// The names of `specs` with `prefix`, and the length of each.
pub(crate) const fn prefixed_names<const N: usize>(
    prefix: &str,
    specs: &[Spec],
) -> [([u8; NAME_MAX_BYTES], usize); N] {
    let mut names = [([0; NAME_MAX_BYTES], 0); N];
    let mut i = 0;
    while i < N {
        let parts = [prefix.as_bytes(), specs[i].name.as_bytes()];
        let (mut part, mut length) = (0, 0);
        while part < parts.len() {
            let mut at = 0;
            while at < parts[part].len() {
                names[i].0[length] = parts[part][at];
                length += 1;
                at += 1;
            }
            part += 1;
        }
        names[i].1 = length;
        i += 1;
    }
    names
}

/// The tables `own` and `nested` in one, the latter's options under other names.
pub(crate) const fn joined<const N: usize>(
    own: &[Spec],
    nested: &[Spec],
    names: &'static [([u8; NAME_MAX_BYTES], usize)],
    prefix: &'static str,
) -> [Spec; N] {
    assert!(own.len() + nested.len() == N);
    let mut all = [own[0]; N];
    let mut i = 0;
    while i < N {
        if i < own.len() {
            all[i] = own[i];
        } else {
            let at = i - own.len();
            all[i] = nested[at];
            all[i].prefix = prefix;
            all[i].name = match std::str::from_utf8(names[at].0.split_at(names[at].1).0) {
                Ok(name) => name,
                Err(_) => panic!("an option's name is ASCII"),
            };
        }
        i += 1;
    }
    all
}

/// Declares a struct of options together with its table, so that they cannot diverge. Options of another kind may be nested in
/// it, with a prefix to their names. `alias` adds further names of an option, `reserved` names of later ones.
macro_rules! options {
    ($(#[$meta:meta])* pub struct $name:ident {
        $($field:ident $(alias $($alias:literal)+)?: $ty:ty = $default:literal, $kind:expr, $unit:literal, $help:literal;)+
        $(@nested $nested:ident: $nested_ty:ty = $prefix:literal, $nested_help:literal;)?
        $(@reserved $($reserved:literal)+;)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(#[doc = $help] pub $field: $ty,)+
            $(#[doc = $nested_help] pub $nested: $nested_ty,)?
        }

        impl $name {
            const OWN_SPECS: &'static [crate::options::Spec] = &[$(crate::options::Spec {
                name: stringify!($field), kind: $kind, default: $default, unit: $unit, help: $help,
                own_aliases: &[$($($alias),+)?], prefix: "",
            }),+];

            /// The table of the options, in the order in which they are documented.
            pub const SPECS: &'static [crate::options::Spec] = crate::options::table!(
                $name::OWN_SPECS $(, <$nested_ty>::SPECS, $prefix)?
            );

            /// Sets the option `name`, or the one with this alias, to `value`.
            ///
            /// # Errors
            /// An unknown name or a value that is not allowed; the options are then unchanged.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), crate::options::OptionError> {
                let value = value.trim();
                $(if name == stringify!($field) $($(|| name == $alias)+)? {
                    return match crate::options::Value::parse(value, &$kind) {
                        Some(parsed) => { self.$field = parsed; Ok(()) }
                        None => Err(crate::options::OptionError::Value {
                            name: stringify!($field), value: value.to_owned(), allowed: ($kind).allowed(), unit: $unit,
                        }),
                    };
                })+
                $($(if name == $reserved {
                    return Err(crate::options::OptionError::Reserved { name: name.to_owned() });
                })+)?
                $(if let Some(inner) = name.strip_prefix($prefix) {
                    return match self.$nested.set(inner, value) {
                        Err(crate::options::OptionError::Unknown { .. }) => Err(crate::options::unknown(name, Self::SPECS)),
                        set => set.map_err(|error| error.nested($prefix, Self::SPECS)),
                    };
                })?
                Err(crate::options::unknown(name, Self::SPECS))
            }

            /// The value of the option `name` as a user would write it, or `None` if there is no such option.
            pub fn get(&self, name: &str) -> Option<String> {
                $(if let Some(inner) = name.strip_prefix($prefix)
                    && let Some(value) = self.$nested.get(inner)
                {
                    return Some(value);
                })?
                match name { $(stringify!($field) => Some(crate::options::Value::show(&self.$field)),)+ _ => None }
            }
        }

        impl crate::options::Options for $name {
            const SPECS: &'static [crate::options::Spec] = Self::SPECS;

            fn set(&mut self, name: &str, value: &str) -> Result<(), crate::options::OptionError> {
                Self::set(self, name, value)
            }

            fn get(&self, name: &str) -> Option<String> {
                Self::get(self, name)
            }

            fn validate(&self) -> Result<(), crate::options::OptionError> {
                Self::validate(self)
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: crate::options::Value::parse($default, &$kind)
                    .expect(concat!("the default of ", stringify!($field), " is one that it takes")),)+
                    $($nested: <$nested_ty>::default(),)?
                }
            }
        }
    };
}
pub(crate) use options;

/// The table of a struct of options: its own, possibly joined with that of the nested ones.
macro_rules! table {
    ($own:expr) => {
        $own
    };
    ($own:expr, $nested:expr, $prefix:literal) => {{
        const NESTED: usize = $nested.len();
        const NAMES: [([u8; crate::options::NAME_MAX_BYTES], usize); NESTED] =
            crate::options::prefixed_names($prefix, $nested);
        &crate::options::joined::<{ $own.len() + NESTED }>($own, $nested, &NAMES, $prefix)
    }};
}
pub(crate) use table;

/// The one of `names` nearest to `word`, if one is near: at most one edit per three characters, regardless of case, underscores
/// and hyphens.
///
/// ```
/// use bellwether_core::options::nearest;
///
/// assert_eq!(nearest("Treshold", ["quorum", "threshold"]), Some("threshold"));
/// assert_eq!(nearest("window", ["quorum", "threshold"]), None);
/// ```
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|c| !matches!(c, '_' | '-'));
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = plain(word);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &plain(name)), name))
        .min()
        .filter(|(edits, name)| *edits <= name.len().max(word.len()) / 3)
        .map(|(_, name)| name)
}

/// The error for a name that is in none of `specs`, with the nearest name in them.
pub(crate) fn unknown(name: &str, specs: &'static [Spec]) -> OptionError {
    let names: Vec<String> = specs
        .iter()
        .flat_map(|spec| std::iter::once(spec.name.to_owned()).chain(spec.aliases()))
        .collect();
    let documented = |near: &str| {
        let spec = specs.iter().find(|spec| spec.is_named(near));
        spec.map(|spec| spec.name)
    };
    let nearest = nearest(name, names.iter().map(String::as_str)).and_then(documented);
    let known = specs.iter().map(|s| s.name).collect::<Vec<_>>().join(", ");
    OptionError::Unknown {
        name: name.to_owned(),
        nearest,
        known,
    }
}

/// The name of an option in the camel case of collectd's configuration: `window_long_sz` is `WindowLongSz`.
pub fn camel_case(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or(String::new(), |first| {
                first.to_ascii_uppercase().to_string() + chars.as_str()
            })
        })
        .collect()
}

/// `text` for a cell of a Markdown table, with vertical bars escaped.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A Markdown table of `specs`, with each name passed through `rename`.
pub fn markdown_table(specs: &[Spec], rename: impl Fn(&str) -> String) -> String {
    let mut out = String::from(
        "| Option | Type | Default | Allowed | Description |\n| --- | --- | --- | --- | --- |\n",
    );
    for s in specs {
        let unit = if s.unit.is_empty() {
            String::new()
        } else {
            format!(" ({})", s.unit)
        };
        writeln!(
            out,
            "| `{}` | {} | `{}` | {}{unit} | {} |",
            rename(s.name),
            s.kind.name(),
            s.default,
            cell(&s.kind.allowed()),
            cell(s.help)
        )
        .expect("writing to a string cannot fail");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::DrainOptions;
    use crate::had::HadOptions;
    use crate::lad::LadOptions;

    #[test]
    fn every_default_is_what_the_table_says() {
        let options = HadOptions::default();
        for spec in HadOptions::SPECS {
            let mut again = HadOptions::default();
            again.set(spec.name, spec.default).expect(spec.name);
            assert_eq!(again, options, "{}", spec.name);
        }
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_nearest_one() {
        let error = HadOptions::default().set("iad_windowsz", "3").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("did you mean \"iad_window_sz\"?"),
            "{error}"
        );
        let error = HadOptions::default().set("zzz", "3").unwrap_err();
        assert!(!error.to_string().contains("did you mean"), "{error}");
    }

    #[test]
    fn names_of_earlier_versions_and_of_other_programs_are_accepted() {
        let mut had = HadOptions::default();
        had.set("window_long_sz", "40").unwrap();
        had.set("quorum", "0.5").unwrap();
        assert_eq!((had.zscore_window_long_sz, had.iad_quorum), (40, 0.5));
        let mut drain = DrainOptions::default();
        drain.set("merge_threshold", "0.7").unwrap();
        assert_eq!(drain.sim_th, 0.7);
        let mut lad = LadOptions::default();
        lad.set("drain_tree_depth", "5").unwrap();
        assert_eq!(lad.drain.depth, 5);
        // A wrong value is reported under the documented name.
        let error = lad.set("drain_tree_depth", "99").unwrap_err();
        assert_eq!(error.option(), "drain_depth");
    }

    #[test]
    fn no_alias_is_the_name_of_another_option() {
        for specs in [HadOptions::SPECS, LadOptions::SPECS, DrainOptions::SPECS] {
            let mut names: Vec<String> = specs.iter().map(|spec| spec.name.to_owned()).collect();
            for spec in specs {
                for alias in spec.aliases() {
                    assert!(!names.contains(&alias), "{alias}");
                    names.push(alias);
                }
            }
        }
    }

    #[test]
    fn a_reserved_name_is_refused_as_one() {
        for error in [
            DrainOptions::default().set("seeds", "x").unwrap_err(),
            LadOptions::default().set("drain_seeds", "x").unwrap_err(),
        ] {
            assert!(error.to_string().contains("reserved"), "{error}");
        }
    }

    #[test]
    fn a_bad_value_names_the_option_the_value_and_what_is_allowed() {
        let error = HadOptions::default()
            .set("algorithm", "magic")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("algorithm") && error.contains("magic") && error.contains("zscore"),
            "{error}"
        );
        for (name, value) in [
            ("window_long_sz", "-1"),
            ("window_long_sz", "1.5"),
            ("threshold", "NaN"),
            ("metrics", ","),
        ] {
            assert!(
                HadOptions::default().set(name, value).is_err(),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn whole_numbers_may_be_written_as_floating_point() {
        let mut options = HadOptions::default();
        options.set("zscore_window_long_sz", "31.0").unwrap();
        assert_eq!(options.zscore_window_long_sz, 31);
    }

    #[test]
    fn camel_case_follows_the_underscores() {
        assert_eq!(camel_case("window_long_sz"), "WindowLongSz");
        assert_eq!(camel_case("algorithm"), "Algorithm");
    }
}

//! The configuration: `<Plugin "bellwether">` with CamelCase keys.
//!
//! The detector's options are known to the core alone: they are found in its table and passed on as text. Here are only the
//! options of the plugin itself, [`OWN`].

use crate::virt::{self, Identity};

/// One option of the detector, as the core's table describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreOption {
    /// The core's name, in snake case.
    pub name: String,
    /// The default value.
    pub default: String,
}

/// One option of the plugin itself, as the documentation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnOption {
    /// The key.
    pub key: &'static str,
    /// The default value; empty where there is none.
    pub default: &'static str,
    /// What it takes.
    pub allowed: &'static str,
    /// The unit, or an empty string.
    pub unit: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// The options of the plugin itself.
pub const OWN: [OwnOption; 7] = [
    OwnOption {
        key: "Identity",
        default: "auto",
        allowed: "auto, host-is-vm, plugin-instance-is-vm",
        unit: "",
        help: "Where a value names its VM and its hypervisor.",
    },
    OwnOption {
        key: "QueueLength",
        default: "65536",
        allowed: "16 to 10000000",
        unit: "values",
        help: "How many values may wait for the detector; further ones are dropped and counted.",
    },
    OwnOption {
        key: "StateFile",
        default: "",
        allowed: "a path",
        unit: "",
        help: "Where what was learnt is kept across restarts; without it, every start begins anew.",
    },
    OwnOption {
        key: "StateInterval",
        default: "300",
        allowed: "1 to 86400",
        unit: "seconds",
        help: "How often the state is saved; it is saved at a flush and at the shutdown too.",
    },
    OwnOption {
        key: "Notifications",
        default: "true",
        allowed: "true or false",
        unit: "",
        help: "Dispatch a notification for each event.",
    },
    OwnOption {
        key: "Values",
        default: "true",
        allowed: "true or false",
        unit: "",
        help: "Dispatch consensus, score, voters and state of each hypervisor and metric as values, once a tick.",
    },
    OwnOption {
        key: "Health",
        default: "true",
        allowed: "true or false",
        unit: "",
        help: "Dispatch values on the plugin itself: its queue, what was dropped, late or reset.",
    },
];

/// The plugin's own settings, and those of the core as they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where a value names its VM and its hypervisor.
    pub identity: Identity,
    /// How many values may wait for the detector.
    pub queue_length: usize,
    /// Where the state is kept.
    pub state_file: Option<String>,
    /// Seconds between two saves of the state.
    pub state_interval: f64,
    /// Whether to dispatch notifications.
    pub notifications: bool,
    /// Whether to dispatch the values of hypervisors.
    pub values: bool,
    /// Whether to dispatch the values on the plugin itself.
    pub health: bool,
    /// For each of [`virt::METRICS`], whether it is watched.
    pub watched: [bool; virt::METRICS.len()],
    /// What the core is to be given: (name, value), in the order of the configuration.
    pub core: Vec<(String, String)>,
}

/// What the configuration holds so far: (key, value); a key without a value has `None`.
#[derive(Debug, Default)]
pub struct Written {
    entries: Vec<(String, Option<String>)>,
    errors: Vec<String>,
}

/// A number as a user would have written it.
fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{}", value as i64)
    } else {
        format!("{value}")
    }
}

/// The key of the core's option `name`: `window_long_sz` is `WindowLongSz`.
pub fn camel_case(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut chars = word.chars();
            chars
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + chars.as_str())
                .unwrap_or_default()
        })
        .collect()
}

/// A key without what may differ in writing it.
fn plain(key: &str) -> String {
    key.chars()
        .filter(|&c| c != '_' && c != '-')
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

impl Written {
    /// One value of a key, as text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.entries.push((key.into(), Some(text.into())));
    }

    /// One value of a key, a number.
    pub fn number(&mut self, key: &str, value: f64) {
        self.text(key, &number(value));
    }

    /// One value of a key, a flag.
    pub fn flag(&mut self, key: &str, value: bool) {
        self.text(key, if value { "true" } else { "false" });
    }

    /// A key without a value.
    pub fn nothing(&mut self, key: &str) {
        self.entries.push((key.into(), None));
    }

    /// A block, of which there are none.
    pub fn block(&mut self, key: &str) {
        self.errors.push(format!(
            "<{key}> is a block; the plugin bellwether takes none"
        ));
    }

    /// The settings, where nothing is wrong with them that can be seen without the core; else one message for each error.
    /// `core` is the core's table, `interval` collectd's own interval in seconds.
    pub fn settings(&self, core: &[CoreOption], interval: f64) -> Result<Settings, Vec<String>> {
        let mut errors = self.errors.clone();
        let mut settings = Settings {
            identity: Identity::Auto,
            queue_length: 65536,
            state_file: None,
            state_interval: 300.0,
            notifications: true,
            values: true,
            health: true,
            watched: [false; virt::METRICS.len()],
            core: Vec::new(),
        };
        for (key, value) in self.merged(&mut errors) {
            let known = core.iter().find(|o| plain(&o.name) == plain(&key));
            let own = OWN.iter().find(|o| plain(o.key) == plain(&key));
            let result = match (known, own) {
                (Some(option), _) => {
                    settings.core.push((option.name.clone(), value));
                    Ok(())
                }
                (None, Some(option)) => settings.set(option, &value),
                (None, None) => Err(unknown(&key, core)),
            };
            errors.extend(result.err());
        }
        if !settings.core.iter().any(|(name, _)| name == "interval") {
            settings.core.push(("interval".into(), number(interval)));
        }
        errors.extend(settings.watch(core).err());
        if errors.is_empty() {
            Ok(settings)
        } else {
            Err(errors)
        }
    }

    /// Each key once, with its values joined by commas: a repeated key is a list.
    fn merged(&self, errors: &mut Vec<String>) -> Vec<(String, String)> {
        let mut merged: Vec<(String, String)> = Vec::new();
        for (key, value) in &self.entries {
            let Some(value) = value else {
                errors.push(format!("option {key}: there is no value"));
                continue;
            };
            match merged.iter_mut().find(|(k, _)| plain(k) == plain(key)) {
                Some((_, values)) => {
                    values.push(',');
                    values.push_str(value);
                }
                None => merged.push((key.clone(), value.clone())),
            }
        }
        merged
    }
}

impl Settings {
    fn set(&mut self, option: &OwnOption, value: &str) -> Result<(), String> {
        let ok = match option.key {
            "Identity" => Identity::WORDS
                .iter()
                .find(|(word, _)| *word == value.to_ascii_lowercase())
                .map(|&(_, identity)| self.identity = identity),
            "QueueLength" => value
                .parse()
                .ok()
                .filter(|n| (16..=10_000_000).contains(n))
                .map(|n| self.queue_length = n),
            "StateFile" => (!value.is_empty()).then(|| self.state_file = Some(value.into())),
            "StateInterval" => value
                .parse()
                .ok()
                .filter(|s| (1.0..=86400.0).contains(s))
                .map(|s| self.state_interval = s),
            "Notifications" => flag(value).map(|on| self.notifications = on),
            "Values" => flag(value).map(|on| self.values = on),
            "Health" => flag(value).map(|on| self.health = on),
            other => unreachable!("{other} is in the table but not set"),
        };
        ok.ok_or_else(|| {
            let unit = if option.unit.is_empty() {
                String::new()
            } else {
                format!(" ({})", option.unit)
            };
            format!(
                "option {}: \"{value}\" is not allowed; it takes {}{unit}",
                option.key, option.allowed
            )
        })
    }

    /// Finds out which of the plugin's metrics are watched.
    fn watch(&mut self, core: &[CoreOption]) -> Result<(), String> {
        let metrics = self
            .core
            .iter()
            .find(|(name, _)| name == "metrics")
            .map(|(_, value)| value.as_str())
            .or_else(|| {
                core.iter()
                    .find(|o| o.name == "metrics")
                    .map(|o| o.default.as_str())
            })
            .unwrap_or_default();
        for word in metrics.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match virt::METRICS.iter().position(|m| *m == word) {
                Some(index) => self.watched[index] = true,
                None => {
                    return Err(format!(
                        "option Metrics: \"{word}\" is not allowed; collectd's virt plugin gives {}{}",
                        virt::METRICS.join(", "),
                        near(word, virt::METRICS.into_iter())
                    ));
                }
            }
        }
        Ok(())
    }
}

/// " (did you mean …?)" where one of `names` is near to `word`.
fn near<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| (strsim::jaro_winkler(&plain(word), &plain(name)), name))
        .filter(|&(similarity, _)| similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| format!(" (did you mean {name}?)"))
        .unwrap_or_default()
}

fn unknown(key: &str, core: &[CoreOption]) -> String {
    let mut names: Vec<String> = core.iter().map(|o| camel_case(&o.name)).collect();
    names.extend(OWN.iter().map(|o| o.key.to_owned()));
    format!(
        "unknown option {key}{}; the options are {}",
        near(key, names.iter().map(String::as_str)),
        names.join(", ")
    )
}

/// The core's `message` on the option `name`, with the key as it stands in the configuration.
pub fn in_our_words(message: &str, name: &str) -> String {
    message.replace(&format!("\"{name}\""), &camel_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core() -> Vec<CoreOption> {
        [
            ("metrics", "cpu"),
            ("interval", "10"),
            ("window_long_sz", "31"),
            ("threshold", "1.99"),
        ]
        .map(|(name, default)| CoreOption {
            name: name.into(),
            default: default.into(),
        })
        .to_vec()
    }

    fn settings(write: impl FnOnce(&mut Written)) -> Result<Settings, Vec<String>> {
        let mut written = Written::default();
        write(&mut written);
        written.settings(&core(), 5.0)
    }

    #[test]
    fn camel_case_keys_are_the_cores_options_in_any_case() {
        let settings = settings(|w| {
            w.number("WindowLongSz", 40.0);
            w.number("THRESHOLD", 2.5);
            w.number("interval", 20.0);
        })
        .expect("all are known");
        let core: Vec<(&str, &str)> = settings
            .core
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        assert_eq!(
            core,
            [
                ("window_long_sz", "40"),
                ("threshold", "2.5"),
                ("interval", "20")
            ]
        );
    }

    #[test]
    fn the_interval_is_collectds_where_none_is_given() {
        let settings = settings(|_| {}).expect("nothing is wrong with nothing");
        assert_eq!(settings.core, [("interval".into(), "5".into())]);
    }

    #[test]
    fn a_repeated_key_is_a_list() {
        let settings = settings(|w| {
            w.text("Metrics", "cpu");
            w.text("metrics", "disk_ops");
        })
        .expect("both are known");
        assert_eq!(settings.watched, [true, true, false, false, false]);
        assert_eq!(settings.core[0], ("metrics".into(), "cpu,disk_ops".into()));
    }

    #[test]
    fn the_defaults_are_those_of_the_table() {
        let mut set = settings(|_| {}).expect("nothing is wrong with nothing");
        let before = set.clone();
        for option in OWN.iter().filter(|o| !o.default.is_empty()) {
            set.set(option, option.default)
                .expect("a default is allowed");
        }
        assert_eq!(set, before);
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_one() {
        let errors = settings(|w| w.number("Treshold", 2.0)).expect_err("there is no such option");
        assert!(
            errors[0].starts_with("unknown option Treshold (did you mean Threshold?)"),
            "{errors:?}"
        );
        assert!(errors[0].contains("WindowLongSz") && errors[0].contains("StateFile"));
    }

    #[test]
    fn a_bad_value_is_answered_with_what_is_allowed() {
        let errors = settings(|w| {
            w.text("Identity", "guess");
            w.number("QueueLength", 3.0);
            w.text("Values", "perhaps");
            w.text("Metrics", "disk_opps");
            w.nothing("StateFile");
            w.block("Rule");
        })
        .expect_err("all are wrong");
        let expected = [
            "<Rule> is a block",
            "option StateFile: there is no value",
            "option Identity: \"guess\" is not allowed; it takes auto, host-is-vm, plugin-instance-is-vm",
            "option QueueLength: \"3\" is not allowed; it takes 16 to 10000000 (values)",
            "option Values: \"perhaps\" is not allowed; it takes true or false",
            "option Metrics: \"disk_opps\" is not allowed; collectd's virt plugin gives cpu, disk_ops,",
        ];
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, start) in errors.iter().zip(expected) {
            assert!(error.starts_with(start), "{error}");
        }
    }

    #[test]
    fn the_cores_messages_name_the_key_as_it_is_written() {
        assert_eq!(
            in_our_words(
                "option \"window_long_sz\": \"1\" is not allowed",
                "window_long_sz"
            ),
            "option WindowLongSz: \"1\" is not allowed"
        );
    }
}

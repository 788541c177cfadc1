//! The configuration: `<Plugin "bellwether">` with CamelCase keys.
//!
//! The detector's options are known to the core alone: they are found in its table and passed on as text. Here are only the
//! options of the plugin itself, [`OWN`].

use bellwether_agent::board::FOLDER;
use bellwether_agent::options::{
    self, Kind, OwnOption, Refusal, STATE_FILE, STATE_INTERVAL, TEXT, camel_case, did_you_mean,
    nearest,
};

use crate::resources::wanted::Watch;
use crate::virt::{self, Identity};

/// A detector of the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// That of the VMs.
    Vms,
    /// That of the resources of hosts.
    Resources,
}

/// What the names of the options of the detector of resources begin with here, so that no two detectors have options of one name.
const RESOURCES_PREFIX: &str = "resource_";

/// One option of a detector, as the core's table describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreOption {
    /// Whose it is.
    pub of: Of,
    /// The core's name, in snake case.
    pub core: String,
    /// Its name here, in snake case.
    pub name: String,
    /// Other names that the core accepts.
    pub aliases: Vec<String>,
    /// The default value.
    pub default: String,
}

impl CoreOption {
    /// The name that an option of a detector has here; `None` where collectd itself has the value.
    pub fn name_of(of: Of, name: &str) -> Option<String> {
        match of {
            Of::Vms => Some(name.to_owned()),
            // It is that of each value, and for the rest that of the VMs.
            Of::Resources if name == "interval" => None,
            Of::Resources if name.starts_with(RESOURCES_PREFIX) => Some(name.to_owned()),
            Of::Resources => Some(format!("{RESOURCES_PREFIX}{name}")),
        }
    }

    /// Whether a key of the configuration is a name of this option.
    fn has_name(&self, key: &str) -> bool {
        let mut names = std::iter::once(&self.name).chain(&self.aliases);
        names.any(|name| plain(name) == plain(key))
    }
}

/// The options of the plugin itself, by their names in snake case.
pub const OWN: [OwnOption; 12] = [
    OwnOption {
        name: "identity",
        kind: Kind::Choice(&["auto", "host-is-vm", "plugin-instance-is-vm"]),
        allowed: "",
        default: "auto",
        unit: "",
        help: "Where a value names its VM and its hypervisor.",
    },
    OwnOption {
        name: "queue_length",
        kind: Kind::Integer {
            min: 16,
            max: 10_000_000,
        },
        allowed: "",
        default: "65536",
        unit: "values",
        help: "Maximum number of values that wait for the detector; further ones are dropped and counted.",
    },
    OwnOption {
        name: "board",
        kind: TEXT,
        allowed: "a folder, or none",
        default: FOLDER,
        unit: "",
        help: "Folder in which the plugin and the filter for Fluent Bit on the same host tell each other what they know. Nothing is published or read before there is such a folder.",
    },
    STATE_FILE,
    STATE_INTERVAL,
    OwnOption {
        name: "mask_file",
        kind: TEXT,
        allowed: "a path",
        default: "",
        unit: "",
        help: "File of maintenance windows, one a line: HYPERVISOR FROM UNTIL. Nothing is learned or reported within them. It is read again when it changes.",
    },
    OwnOption {
        name: "mask_notifications",
        kind: Kind::Flag,
        allowed: "",
        default: "false",
        unit: "",
        help: "Take maintenance windows from notifications of the type maintenance, too. Whoever can send collectd notifications can then silence a hypervisor for a day at a time.",
    },
    OwnOption {
        name: "resources",
        kind: Kind::Choice(&["hypervisors", "all", "off"]),
        allowed: "",
        default: "hypervisors",
        unit: "",
        help: "Hosts whose own resources are watched, as far as collectd's plugins cpu, disk, load, memory, processes, swap and vmem report them: this host and those whose VMs report, all, or none.",
    },
    OwnOption {
        name: "pressure",
        kind: Kind::Flag,
        allowed: "",
        default: "true",
        unit: "",
        help: "Read the pressure stall information and the scanned pages of this host from /proc, which no plugin of collectd does. Without it they are missing from its resources.",
    },
    OwnOption {
        name: "notifications",
        kind: Kind::Flag,
        allowed: "",
        default: "true",
        unit: "",
        help: "Dispatch a notification for each event.",
    },
    OwnOption {
        name: "values",
        kind: Kind::Flag,
        allowed: "",
        default: "true",
        unit: "",
        help: "Dispatch consensus, score, voters and state of each hypervisor and metric, its resources and its risk as values, once an interval.",
    },
    OwnOption {
        name: "health",
        kind: Kind::Flag,
        allowed: "",
        default: "true",
        unit: "",
        help: "Dispatch values on the plugin itself: its queue, and how many values were dropped, late or reset.",
    },
];

/// The plugin's own settings, and those of the core as they were written.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Settings {
    /// Where a value names its VM and its hypervisor.
    pub identity: Identity,
    /// How many values may wait for the detector.
    pub queue_length: usize,
    /// The folder where the state of hosts is published.
    pub board: Option<String>,
    /// Where the state is kept.
    pub state_file: Option<String>,
    /// Seconds between two saves of the state.
    pub state_interval: f64,
    /// The file of maintenance windows.
    pub mask_file: Option<String>,
    /// Whether notifications give maintenance windows, too.
    pub mask_notifications: bool,
    /// Whose resources are watched.
    pub resources: Watch,
    /// Whether to read the pressure of this host.
    pub pressure: bool,
    /// Whether to dispatch notifications.
    pub notifications: bool,
    /// Whether to dispatch the values of hypervisors.
    pub values: bool,
    /// Whether to dispatch the values on the plugin itself.
    pub health: bool,
    /// For each of [`virt::METRICS`], whether it is watched.
    pub watched: [bool; virt::METRICS.len()],
    /// Whether the configuration names them.
    pub metrics_given: bool,
    /// Those that it names and that `virt` never gives.
    pub unread: Vec<String>,
    /// What the detector of the VMs is to be given: (name, value), in the order of the configuration.
    pub core: Vec<(String, String)>,
    /// The same for the detector of resources.
    pub resource: Vec<(String, String)>,
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

/// A key without what may differ in writing it.
fn plain(key: &str) -> String {
    key.chars()
        .filter(|&c| c != '_' && c != '-')
        .map(|c| c.to_ascii_lowercase())
        .collect()
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
        let mut settings = Settings::default();
        let merged = self.merged(&mut errors);
        for (key, value) in &merged {
            if let Some(option) = core.iter().find(|o| o.has_name(key)) {
                let all = match option.of {
                    Of::Vms => &mut settings.core,
                    Of::Resources => &mut settings.resource,
                };
                all.push((option.core.clone(), value.clone()));
            } else if !OWN.iter().any(|o| plain(o.name) == plain(key)) {
                errors.push(unknown(key, core));
            }
        }
        let given = |name: &str| {
            let found = merged.iter().find(|(key, _)| plain(key) == plain(name));
            found.map(|(_, value)| value.clone())
        };
        let read = options::read(&OWN, given, |option, value| settings.set(option, value));
        if let Err(refusals) = read {
            errors.extend(refusals.iter().map(|r| r.naming(&camel_case(r.name()))));
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
    fn set(&mut self, option: &OwnOption, value: &str) -> Result<(), Refusal> {
        match option.name {
            "identity" => self.identity = option.choice(value, &Identity::WORDS)?,
            "queue_length" => self.queue_length = option.integer(value)?,
            "board" => {
                let folder = option.text(value)?;
                self.board = (!folder.eq_ignore_ascii_case("none")).then_some(folder);
            }
            "state_file" => self.state_file = Some(option.text(value)?),
            "state_interval" => self.state_interval = option.number(value)?,
            "mask_file" => self.mask_file = Some(option.text(value)?),
            "mask_notifications" => self.mask_notifications = option.flag(value)?,
            "resources" => self.resources = option.choice(value, &Watch::WORDS)?,
            "pressure" => self.pressure = option.flag(value)?,
            "notifications" => self.notifications = option.flag(value)?,
            "values" => self.values = option.flag(value)?,
            "health" => self.health = option.flag(value)?,
            other => unreachable!("{other} is in the table but not set"),
        }
        Ok(())
    }

    /// Finds out which of the plugin's metrics are watched.
    fn watch(&mut self, core: &[CoreOption]) -> Result<(), String> {
        self.metrics_given = self.core.iter().any(|(name, _)| name == "metrics");
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
                // The default has all metrics that the detector knows.
                None if virt::UNREAD.contains(&word) => {
                    if self.metrics_given {
                        self.unread.push(word.to_owned());
                    }
                }
                None => {
                    return Err(format!(
                        "option Metrics: \"{word}\" is not allowed; collectd's virt plugin gives {}{}",
                        virt::METRICS.join(", "),
                        did_you_mean(word, virt::METRICS)
                    ));
                }
            }
        }
        Ok(())
    }
}

fn unknown(key: &str, core: &[CoreOption]) -> String {
    let mut names: Vec<String> = core.iter().map(|o| camel_case(&o.name)).collect();
    names.extend(OWN.iter().map(|o| camel_case(o.name)));
    let aliases: Vec<String> = core
        .iter()
        .flat_map(|o| &o.aliases)
        .map(|alias| camel_case(alias))
        .collect();
    let near = nearest(key, names.iter().chain(&aliases).map(String::as_str));
    // An option is suggested by the name that the documentation has.
    let named = |near: &str| {
        let option = core.iter().find(|option| option.has_name(near));
        option.map_or_else(|| near.to_owned(), |option| camel_case(&option.name))
    };
    let suggestion = near.map(|near| format!(" (did you mean {}?)", named(near)));
    format!(
        "unknown option {key}{}; the options are {}",
        suggestion.unwrap_or_default(),
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn core() -> Vec<CoreOption> {
        [
            ("metrics", "cpu"),
            ("interval", "10"),
            ("zscore_window_long_sz", "31"),
            ("zscore_threshold", "1.99"),
            ("resource_forget_sec", "604800"),
        ]
        .map(|(name, default)| CoreOption {
            of: match name.starts_with(RESOURCES_PREFIX) {
                true => Of::Resources,
                false => Of::Vms,
            },
            core: name.strip_prefix(RESOURCES_PREFIX).unwrap_or(name).into(),
            name: name.into(),
            aliases: name
                .strip_prefix("zscore_")
                .map(String::from)
                .into_iter()
                .collect(),
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
    fn camel_case_keys_are_the_cores_options_by_any_of_their_names_in_any_case() {
        let settings = settings(|w| {
            w.number("ZscoreWindowLongSz", 40.0);
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
                ("zscore_window_long_sz", "40"),
                ("zscore_threshold", "2.5"),
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
    fn the_options_of_resources_have_a_prefix_and_go_to_their_own_detector() {
        let name = |name| CoreOption::name_of(Of::Resources, name);
        assert_eq!(name("forget_sec").as_deref(), Some("resource_forget_sec"));
        assert_eq!(name("resource_model").as_deref(), Some("resource_model"));
        assert_eq!(name("interval"), None);
        let settings = settings(|w| w.number("ResourceForgetSec", 7.0)).expect("it is known");
        assert_eq!(settings.resource, [("forget_sec".into(), "7".into())]);
        assert_eq!(settings.core, [("interval".into(), "5".into())]);
    }

    #[test]
    fn a_repeated_key_is_a_list() {
        let settings = settings(|w| {
            w.text("Metrics", "cpu");
            w.text("metrics", "disk_ops");
        })
        .expect("both are known");
        assert_eq!(settings.watched, [true, true, false, false, false, false]);
        assert_eq!(settings.core[0], ("metrics".into(), "cpu,disk_ops".into()));
    }

    #[test]
    fn what_virt_never_gives_is_allowed_and_remembered_if_somebody_asks_for_it() {
        let asked = settings(|w| w.text("Metrics", "cpu,steal,vcpu_delay")).expect("it is known");
        assert_eq!(asked.unread, ["steal", "vcpu_delay"]);
        let mut table = core();
        table[0].default = "cpu,vcpu_delay".into();
        let default = Written::default().settings(&table, 5.0);
        assert_eq!(default.expect("the default is allowed").unread, [""; 0]);
    }

    #[test]
    fn every_default_is_that_of_the_table() {
        let settings = settings(|_| {}).expect("nothing is wrong with nothing");
        assert_eq!(settings.identity, Identity::Auto);
        assert_eq!(
            (settings.queue_length, settings.state_interval),
            (65536, 300.0)
        );
        assert!(settings.notifications && settings.values && settings.health);
        assert_eq!((settings.state_file, settings.mask_file), (None, None));
        assert_eq!(settings.board.as_deref(), Some("/run/bellwether"));
        assert!(!settings.mask_notifications && !settings.metrics_given);
        assert_eq!(
            (settings.resources, settings.pressure),
            (Watch::Hypervisors, true)
        );
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_one() {
        let errors = settings(|w| w.number("Treshold", 2.0)).expect_err("there is no such option");
        assert!(
            errors[0].starts_with("unknown option Treshold (did you mean ZscoreThreshold?)"),
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
}

//! The options: those of the plugin itself, [`OWN`], and those of the core, which are known to it alone and passed on as text.

use crate::abi::Kind;
use crate::accessor::{self, Accessor};

/// One option of the plugin itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnOption {
    /// The key.
    pub key: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// The default value; empty where there is none.
    pub default: &'static str,
    /// What it takes.
    pub allowed: &'static str,
    /// The unit, or an empty string.
    pub unit: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// The most keys that one option takes; three options and the filter's own keys fit into what can be wanted of a record.
const KEYS_MAX: usize = 16;

const ACCESSORS: &str = "1 to 16 keys separated by commas, as log or $log['message']";

const _: () = assert!(3 * KEYS_MAX + crate::filter::OWN_KEYS <= accessor::WANTED_MAX);
const ADDED: &str =
    "none, or some of template_id, template, severity, family, score, novel, separated by commas";

/// The options of the filter itself.
pub const OWN: [OwnOption; 13] = [
    OwnOption {
        key: "text_keys",
        kind: Kind::Text,
        default: "log,message,MESSAGE,msg,body,Body,text,line,short_message,log_processed",
        allowed: ACCESSORS,
        unit: "",
        help: "Where the text of a record is: the first of these keys whose value is a text, or a map with a text in it.",
    },
    OwnOption {
        key: "stream_keys",
        kind: Kind::Text,
        default: "$RESOURCE['k8s.node.name'],$RESOURCE['host.name'],$kubernetes['host'],_HOSTNAME,HOSTNAME,_hostname,hostname,\
                  host,$host['name'],host.name",
        allowed: ACCESSORS,
        unit: "",
        help: "The host whose log a record belongs to: the first of these keys that it has. $TAG is the record's tag, \
               $RESOURCE[...] an attribute of its OpenTelemetry resource. By default, hostname and the like are not read where a \
               record names a pod: they are the pod's.",
    },
    OwnOption {
        key: "host",
        kind: Kind::Text,
        default: "",
        allowed: "a name",
        unit: "",
        help: "Whose log a record is of that has none of stream_keys; by default this machine's name.",
    },
    OwnOption {
        key: "priority_keys",
        kind: Kind::Text,
        default: "PRIORITY,priority,$METADATA['otlp']['severity_number'],$METADATA['otlp']['severity_text'],\
                  $METADATA['severity_number'],severity,pri,level,lvl,loglevel,log.level,log_level,SeverityNumber,severity_number,\
                  SeverityText,severity_text",
        allowed: ACCESSORS,
        unit: "",
        help: "The level of a record: the first of these keys with a syslog severity, a level as loggers number them, an \
               OpenTelemetry severity number or a word such as err. $METADATA[...] is in the record's metadata.",
    },
    OwnOption {
        key: "key_prefix",
        kind: Kind::Text,
        default: "bellwether_",
        allowed: "the start of a key",
        unit: "",
        help: "What the keys that are added to records start with.",
    },
    OwnOption {
        key: "template_key",
        kind: Kind::Text,
        default: "",
        allowed: "a key",
        unit: "",
        help: "The key for the template, by default key_prefix with template; OpenTelemetry calls it log.record.template.",
    },
    OwnOption {
        key: "record_keys",
        kind: Kind::Text,
        default: "template_id,template",
        allowed: ADDED,
        unit: "",
        help: "What is added to every record; with none, a record that is not flagged passes without a copy.",
    },
    OwnOption {
        key: "flagged_keys",
        kind: Kind::Text,
        default: "template_id,template,severity,family,score,novel",
        allowed: ADDED,
        unit: "",
        help: "What is added to a record that is flagged: its text tells of a failure, or it does not fit what was learnt.",
    },
    OwnOption {
        key: "events",
        kind: Kind::Text,
        default: "auto",
        allowed: "auto, inline, none",
        unit: "",
        help: "Where events go: to the input bellwether where the pipeline has one and else inline (auto), or always inline, \
               behind the records of the chunk that brought them about.",
    },
    OwnOption {
        key: "state_file",
        kind: Kind::Text,
        default: "",
        allowed: "a path",
        unit: "",
        help: "Where what was learnt is kept across restarts; without it, every start begins anew.",
    },
    OwnOption {
        key: "state_interval",
        kind: Kind::Integer,
        default: "300",
        allowed: "1 to 86400",
        unit: "seconds",
        help: "How often the state is saved; it is saved at the end and after an event too.",
    },
    OwnOption {
        key: "debug",
        kind: Kind::Flag,
        default: "false",
        allowed: "true or false",
        unit: "",
        help: "Log each flagged record with what was found in it.",
    },
    UNKNOWN_VERSION,
];

/// The key of the option that lets the plugin start in a program whose interface is not known.
pub const ALLOW_UNKNOWN: &str = "allow_unknown_version";

const UNKNOWN_VERSION: OwnOption = OwnOption {
    key: ALLOW_UNKNOWN,
    kind: Kind::Flag,
    default: "false",
    allowed: "true or false",
    unit: "",
    help: "Start in a Fluent Bit whose plugin interface this version does not know, at the risk of a crash.",
};

/// The options of the companion input.
pub const INPUT: [OwnOption; 2] = [QUEUE_LENGTH, UNKNOWN_VERSION];

const QUEUE_LENGTH: OwnOption = OwnOption {
    key: "queue_length",
    kind: Kind::Integer,
    default: "1024",
    allowed: "1 to 1000000",
    unit: "events",
    help: "How many events may wait to be taken into the pipeline; further ones are dropped and counted.",
};

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Events {
    /// To the companion input where there is one, else inline.
    Auto,
    /// Into the stream of records.
    Inline,
    /// Nowhere.
    None,
}

/// What can be added to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The number of the template.
    TemplateId,
    /// The template.
    Template,
    /// How severe what the text tells of is, 0 to 1.
    Severity,
    /// The family of failures.
    Family,
    /// How certain a failure is, 0 to 1.
    Score,
    /// Whether the record does not fit what was learnt.
    Novel,
}

impl Key {
    /// All, with their words.
    pub const WORDS: [(&'static str, Self); 6] = [
        ("template_id", Self::TemplateId),
        ("template", Self::Template),
        ("severity", Self::Severity),
        ("family", Self::Family),
        ("score", Self::Score),
        ("novel", Self::Novel),
    ];
}

/// Where to look for the name of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamKey {
    /// The tag.
    Tag,
    /// A value of the record.
    Value(Accessor),
}

/// The plugin's own settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where the text is.
    pub text_keys: Vec<Accessor>,
    /// Whose log it is.
    pub stream_keys: Vec<StreamKey>,
    /// They are the default ones.
    pub usual_streams: bool,
    /// Whose log it is otherwise.
    pub host: Option<String>,
    /// Where the priority is.
    pub priority_keys: Vec<Accessor>,
    /// What added keys start with.
    pub key_prefix: String,
    /// The template's key.
    pub template_key: Option<String>,
    /// What is added to every record.
    pub record_keys: Vec<Key>,
    /// What is added to flagged records.
    pub flagged_keys: Vec<Key>,
    /// Where events go.
    pub events: Events,
    /// Where the state is kept.
    pub state_file: Option<String>,
    /// Seconds between two saves of the state.
    pub state_interval: f64,
    /// Whether flagged records are logged.
    pub debug: bool,
}

impl Settings {
    /// The settings that the configuration asks for; `property` gives the value of a key where it is set.
    ///
    /// # Errors
    /// One message for each option with a value that it does not take.
    pub fn read(property: impl Fn(&str) -> Option<String>) -> Result<Self, Vec<String>> {
        let mut settings = Self {
            text_keys: Vec::new(),
            stream_keys: Vec::new(),
            usual_streams: property("stream_keys").is_none(),
            host: None,
            priority_keys: Vec::new(),
            key_prefix: String::new(),
            template_key: None,
            record_keys: Vec::new(),
            flagged_keys: Vec::new(),
            events: Events::Auto,
            state_file: None,
            state_interval: 0.0,
            debug: false,
        };
        let mut errors = Vec::new();
        for option in OWN {
            let given = property(option.key);
            if given.is_none() && option.default.is_empty() {
                continue;
            }
            let value = given.unwrap_or_else(|| option.default.into());
            let value = value.trim();
            if settings.set(option.key, value).is_none() {
                errors.push(refused(&option, value));
            }
        }
        if errors.is_empty() {
            Ok(settings)
        } else {
            Err(errors)
        }
    }

    /// What a key that is added is called.
    pub fn name_of(&self, key: Key) -> String {
        match (&self.template_key, key) {
            (Some(name), Key::Template) => name.clone(),
            _ => {
                let word = Key::WORDS.iter().find(|(_, known)| *known == key);
                format!(
                    "{}{}",
                    self.key_prefix,
                    word.expect("every key has a word").0
                )
            }
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Option<()> {
        let text = || (!value.is_empty()).then(|| value.to_owned());
        match key {
            "text_keys" => self.text_keys = list(value, accessor)?,
            "stream_keys" => {
                self.stream_keys = list(value, |word| match word {
                    "$TAG" => Some(StreamKey::Tag),
                    _ => accessor(word).map(StreamKey::Value),
                })?;
            }
            "host" => self.host = Some(text()?),
            "priority_keys" => self.priority_keys = list(value, accessor)?,
            "key_prefix" => self.key_prefix = text()?,
            "template_key" => self.template_key = Some(text()?),
            "record_keys" => self.record_keys = added(value)?,
            "flagged_keys" => self.flagged_keys = added(value)?,
            "events" => {
                self.events = match value.to_ascii_lowercase().as_str() {
                    "auto" => Events::Auto,
                    "inline" => Events::Inline,
                    "none" => Events::None,
                    _ => return None,
                }
            }
            "state_file" => self.state_file = Some(text()?),
            "state_interval" => {
                self.state_interval = value.parse().ok().filter(|s| (1.0..=86400.0).contains(s))?;
            }
            "debug" => self.debug = flag(value)?,
            // Looked at before all others, by `allows_unknown`.
            ALLOW_UNKNOWN => {
                flag(value)?;
            }
            other => unreachable!("{other} is in the table but not set"),
        }
        Some(())
    }
}

/// The length of the queue that the configuration of the companion input asks for.
///
/// # Errors
/// The value is none that the option takes.
pub fn queue_length(property: impl Fn(&str) -> Option<String>) -> Result<usize, String> {
    let option = QUEUE_LENGTH;
    let value = property(option.key).unwrap_or_else(|| option.default.into());
    let length = value.trim().parse().ok();
    length
        .filter(|n| (1..=1_000_000).contains(n))
        .ok_or_else(|| refused(&option, value.trim()))
}

/// Whether the configuration lets the plugin start in a program whose interface is not known.
///
/// # Errors
/// The value is none that the option takes.
pub fn allows_unknown(property: impl Fn(&str) -> Option<String>) -> Result<bool, String> {
    let option = UNKNOWN_VERSION;
    let value = property(option.key).unwrap_or_else(|| option.default.into());
    flag(value.trim()).ok_or_else(|| refused(&option, value.trim()))
}

fn refused(option: &OwnOption, value: &str) -> String {
    let unit = match option.unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let near = match option.key {
        "record_keys" | "flagged_keys" => value
            .split(',')
            .map(str::trim)
            .find(|word| !Key::WORDS.iter().any(|(known, _)| known == word))
            .map(|word| near(word, Key::WORDS.iter().map(|&(known, _)| known)))
            .unwrap_or_default(),
        "events" => near(value, ["auto", "inline", "none"].into_iter()),
        "text_keys" | "stream_keys" | "priority_keys" => value
            .split(',')
            .map(str::trim)
            .filter(|word| option.key != "stream_keys" || *word != "$TAG")
            .find_map(|word| Accessor::parse(word).err())
            .map(|why| format!(" ({why})"))
            .unwrap_or_default(),
        _ => String::new(),
    };
    format!(
        "option \"{}\": \"{value}\" is not allowed; it takes {}{unit}{near}",
        option.key, option.allowed
    )
}

/// " (did you mean …?)" where one of `words` is near to `word`.
fn near<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> String {
    words
        .map(|known| (strsim::jaro_winkler(word, known), known))
        .filter(|&(similarity, _)| similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| format!(" (did you mean {known}?)"))
        .unwrap_or_default()
}

/// A list of 1 to [`KEYS_MAX`] words, separated by commas, each of which `parse` takes.
fn list<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let words = text.split(',').map(|word| parse(word.trim()));
    words
        .collect::<Option<Vec<T>>>()
        .filter(|list| list.len() <= KEYS_MAX)
}

fn accessor(word: &str) -> Option<Accessor> {
    Accessor::parse(word).ok()
}

fn added(text: &str) -> Option<Vec<Key>> {
    if text.eq_ignore_ascii_case("none") {
        return Some(Vec::new());
    }
    let mut keys: Vec<Key> = list(text, |word| {
        let known = Key::WORDS.iter().find(|(known, _)| *known == word);
        known.map(|&(_, key)| key)
    })?;
    let mut before = Vec::new();
    keys.retain(|key| {
        !before.contains(key) && {
            before.push(*key);
            true
        }
    });
    Some(keys)
}

fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(properties: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        Settings::read(|key| {
            let found = properties.iter().find(|(known, _)| *known == key);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn every_default_is_one_that_its_option_takes() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            (settings.text_keys.len(), settings.stream_keys.len()),
            (10, 10)
        );
        assert!(settings.usual_streams && settings.priority_keys.len() == KEYS_MAX);
        assert_eq!(settings.record_keys, [Key::TemplateId, Key::Template]);
        assert_eq!(settings.flagged_keys.len(), Key::WORDS.len());
        assert_eq!((settings.state_file, settings.events), (None, Events::Auto));
        assert_eq!(queue_length(|_| None), Ok(1024));
    }

    #[test]
    fn every_option_is_taken_from_the_configuration() {
        let settings = read(&[
            ("text_keys", "$log['message'], msg"),
            ("stream_keys", "$TAG"),
            ("host", "node7"),
            ("priority_keys", "$syslog['pri']"),
            ("key_prefix", "bw."),
            ("template_key", "log.record.template"),
            ("record_keys", "none"),
            ("flagged_keys", "score, family, score"),
            ("events", "Inline"),
            ("state_file", "/x"),
            ("state_interval", " 60 "),
            ("debug", "on"),
        ])
        .unwrap();
        assert_eq!(settings.text_keys.len(), 2);
        assert_eq!(settings.stream_keys, [StreamKey::Tag]);
        assert!(!settings.usual_streams);
        assert_eq!(settings.host.as_deref(), Some("node7"));
        assert_eq!(settings.priority_keys[0].last_key(), b"pri");
        assert_eq!(settings.key_prefix, "bw.");
        assert_eq!(
            settings.template_key.as_deref(),
            Some("log.record.template")
        );
        assert_eq!(settings.record_keys, []);
        assert_eq!(settings.flagged_keys, [Key::Score, Key::Family]);
        assert_eq!(settings.events, Events::Inline);
        assert_eq!((settings.state_interval, settings.debug), (60.0, true));
        assert_eq!(settings.state_file.as_deref(), Some("/x"));
    }

    #[test]
    fn a_bad_value_is_told_with_what_would_be_right() {
        let errors = read(&[
            ("record_keys", "templates"),
            ("events", "inlin"),
            ("state_interval", "0"),
            ("text_keys", "log,"),
            ("priority_keys", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"),
            ("debug", "maybe"),
        ])
        .unwrap_err();
        assert_eq!(errors.len(), 6, "{errors:#?}");
        let has = |parts: [&str; 3]| {
            assert!(
                errors
                    .iter()
                    .any(|e| parts.iter().all(|part| e.contains(part))),
                "{parts:?} {errors:#?}"
            );
        };
        has([
            "\"record_keys\"",
            "\"templates\"",
            "(did you mean template?)",
        ]);
        has(["\"events\"", "auto, inline, none", "(did you mean inline?)"]);
        has(["\"state_interval\"", "\"0\"", "1 to 86400 (seconds)"]);
        has(["\"text_keys\"", "\"log,\"", "$log['message']"]);
        for (key, value, why) in [
            ("text_keys", "log,", "(there is an empty key)"),
            (
                "text_keys",
                "$log[",
                "(a [ of \"$log[\" is not closed by ])",
            ),
            (
                "text_keys",
                "msg, log['message']",
                "(did you mean $log['message']?)",
            ),
            (
                "priority_keys",
                "$TAG",
                "(\"$TAG\" is no key of a record; $TAG, the whole tag,",
            ),
            (
                "stream_keys",
                "$TAG,$TAG[1]",
                "(\"$TAG[1]\" is no key of a record;",
            ),
            (
                "stream_keys",
                "$kubernetes[\"host\"]",
                "is neither ['a key'] nor [a number])",
            ),
        ] {
            let errors = read(&[(key, value)]).unwrap_err();
            let start =
                format!("option \"{key}\": \"{value}\" is not allowed; it takes 1 to 16 keys");
            assert!(
                errors.len() == 1 && errors[0].starts_with(&start) && errors[0].contains(why),
                "{errors:#?}"
            );
        }
        let error = queue_length(|_| Some("many".into())).unwrap_err();
        assert!(error.contains("\"queue_length\": \"many\""), "{error}");
    }
}

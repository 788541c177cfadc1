//! The options: those of the plugin itself, [`OWN`], and those of the core, which are known to it alone and passed on as text.

use std::path::PathBuf;

use bellwether_agent::board::FOLDER;
use bellwether_agent::options::{
    self, Kind, OwnOption, Refusal, STATE_FILE, STATE_INTERVAL, TEXT, did_you_mean,
};

use crate::accessor::{self, Accessor};
use crate::tag::Pattern;

/// The maximum number of keys that one option takes; three options and the filter's own keys fit into what can be wanted of a
/// record.
const KEYS_MAX: usize = 16;

const _: () = assert!(3 * KEYS_MAX + crate::filter::OWN_KEYS <= accessor::WANTED_MAX);

const ACCESSORS: &str = "1 to 16 keys separated by commas, as log or $log['message']";
const ADDED: &str = "none, or some of template_id, template, severity, family, score, novel, unpredicted, separated by commas";

/// The options of the filter itself.
pub const OWN: [OwnOption; 17] = [
    OwnOption {
        name: "text_keys",
        kind: TEXT,
        allowed: ACCESSORS,
        default: "log,message,MESSAGE,msg,body,Body,text,line,short_message,log_processed",
        unit: "",
        help: "Keys for the text of a record: the first one whose value is a string, or a map with a string in it, is used.",
    },
    OwnOption {
        name: "stream_keys",
        kind: TEXT,
        allowed: ACCESSORS,
        default: "$RESOURCE['k8s.node.name'],$RESOURCE['host.name'],$kubernetes['host'],_HOSTNAME,HOSTNAME,_hostname,hostname,\
                  host,$host['name'],host.name",
        unit: "",
        help: "Keys for the host that a record comes from: the first one that the record has is used. $TAG is the record's tag, \
               $RESOURCE[...] an attribute of its OpenTelemetry resource. By default, hostname and the like are ignored in a \
               record that names a pod: they are the pod's.",
    },
    OwnOption {
        name: "host",
        kind: TEXT,
        allowed: "a name",
        default: "",
        unit: "",
        help: "Host of the records that have none of stream_keys; by default the name of this machine.",
    },
    OwnOption {
        name: "priority_keys",
        kind: TEXT,
        allowed: ACCESSORS,
        default: "PRIORITY,priority,$METADATA['otlp']['severity_number'],$METADATA['otlp']['severity_text'],\
                  $METADATA['severity_number'],severity,pri,level,lvl,loglevel,log.level,log_level,SeverityNumber,severity_number,\
                  SeverityText,severity_text",
        unit: "",
        help: "Keys for the level of a record: the first one with a syslog severity, a numeric level as loggers use, an \
               OpenTelemetry severity number or a word such as err is used. $METADATA[...] is in the record's metadata.",
    },
    OwnOption {
        name: "key_prefix",
        kind: TEXT,
        allowed: "the start of a key",
        default: "bellwether_",
        unit: "",
        help: "Prefix of the keys that are added to records.",
    },
    OwnOption {
        name: "template_key",
        kind: TEXT,
        allowed: "a key",
        default: "",
        unit: "",
        help: "Key for the template, by default key_prefix followed by template; OpenTelemetry calls it log.record.template.",
    },
    OwnOption {
        name: "record_keys",
        kind: TEXT,
        allowed: ADDED,
        default: "template_id,template",
        unit: "",
        help: "Keys to add to every record. With none, a record that is not flagged passes without a copy.",
    },
    OwnOption {
        name: "flagged_keys",
        kind: TEXT,
        allowed: ADDED,
        default: "template_id,template,severity,family,score,novel",
        unit: "",
        help: "Keys to add to flagged records: those whose text reports a failure, or that do not fit the learned state.",
    },
    OwnOption {
        name: "events",
        kind: Kind::Choice(&["auto", "inline", "none"]),
        allowed: "",
        default: "auto",
        unit: "",
        help: "Where events go: auto sends them to the input bellwether if the pipeline has one and else inline; inline appends \
               them to the chunk that caused them; none drops them.",
    },
    OwnOption {
        name: "foreign_events",
        kind: Kind::Choice(&["rename", "accept"]),
        allowed: "",
        default: "rename",
        unit: "",
        help: "What becomes of event keys that no filter of this process emitted: rename puts foreign_ before them, so that nobody \
               takes them for events of this host; accept leaves them, for a filter whose records come from other bellwethers only.",
    },
    OwnOption {
        name: "feedback_match",
        kind: TEXT,
        allowed: "a tag, in which * stands for any text",
        default: "",
        unit: "",
        help: "Records with this tag and the key bellwether_verdict are verdicts on templates: they silence alarms and raise them. \
               By default there are none. Only who may do both should be able to send records with this tag.",
    },
    OwnOption {
        name: "risk",
        kind: Kind::Flag,
        allowed: "",
        default: "true",
        unit: "",
        help: "Estimate for each host the probability that its guests fail, from its log and from what its metrics say on the board, \
               and report failure_risk. The options risk_... are those of the estimate.",
    },
    OwnOption {
        name: "board",
        kind: TEXT,
        allowed: "a folder, or none",
        default: FOLDER,
        unit: "",
        help: "Folder in which the filter and the plugin for collectd on the same host tell each other what they know. Without it, \
               the risk is estimated from logs alone. Only one filter per host publishes there.",
    },
    STATE_FILE,
    STATE_INTERVAL,
    OwnOption {
        name: "debug",
        kind: Kind::Flag,
        allowed: "",
        default: "false",
        unit: "",
        help: "Log every flagged record and why it was flagged.",
    },
    UNKNOWN_VERSION,
];

/// The name of the option that lets the plugin start in a program whose interface is unknown.
pub const ALLOW_UNKNOWN: &str = "allow_unknown_version";

const UNKNOWN_VERSION: OwnOption = OwnOption {
    name: ALLOW_UNKNOWN,
    kind: Kind::Flag,
    allowed: "",
    default: "false",
    unit: "",
    help: "Start in a Fluent Bit whose plugin interface is unknown to this version, at the risk of a crash.",
};

/// The options of the companion input.
pub const INPUT: [OwnOption; 2] = [QUEUE_LENGTH, UNKNOWN_VERSION];

const QUEUE_LENGTH: OwnOption = OwnOption {
    name: "queue_length",
    kind: Kind::Integer {
        min: 1,
        max: 1_000_000,
    },
    allowed: "",
    default: "1024",
    unit: "events",
    help: "Maximum number of events that wait for the pipeline; further ones are dropped and counted.",
};

/// Where events go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Events {
    /// To the companion input where there is one, else inline.
    #[default]
    Auto,
    /// Into the stream of records.
    Inline,
    /// Nowhere.
    None,
}

impl Events {
    const WORDS: [(&'static str, Self); 3] = [
        ("auto", Self::Auto),
        ("inline", Self::Inline),
        ("none", Self::None),
    ];
}

/// What becomes of records with the keys of events that are of somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForeignEvents {
    /// These keys are renamed.
    #[default]
    Rename,
    /// They are events of other hosts.
    Accept,
}

impl ForeignEvents {
    const WORDS: [(&'static str, Self); 2] = [("rename", Self::Rename), ("accept", Self::Accept)];
}

/// What can be added to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// The number of the template.
    TemplateId,
    /// The template.
    Template,
    /// How severe the failure that the text reports is, 0 to 1.
    Severity,
    /// The family of failures.
    Family,
    /// How certain a failure is, 0 to 1.
    Score,
    /// Whether the record does not fit the learned state.
    Novel,
    /// Whether the option `sequence_model` did not predict the record.
    Unpredicted,
}

impl Key {
    /// All, with their words.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("template_id", Self::TemplateId),
        ("template", Self::Template),
        ("severity", Self::Severity),
        ("family", Self::Family),
        ("score", Self::Score),
        ("novel", Self::Novel),
        ("unpredicted", Self::Unpredicted),
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
#[derive(Debug, Clone, PartialEq, Default)]
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
    /// What becomes of others' events.
    pub foreign_events: ForeignEvents,
    /// The tags whose records may be feedback; without it, none may.
    pub feedback_match: Option<Pattern>,
    /// Whether the risk of hosts is estimated.
    pub risk: bool,
    /// The folder in which the halves of bellwether meet.
    pub board: Option<PathBuf>,
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
            usual_streams: property("stream_keys").is_none(),
            ..Self::default()
        };
        let read = options::read(&OWN, property, |option, value| settings.set(option, value));
        read.map_err(|refusals| refusals.iter().map(Refusal::to_string).collect())
            .map(|()| settings)
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

    fn set(&mut self, option: &OwnOption, value: &str) -> Result<(), Refusal> {
        match option.name {
            "text_keys" => self.text_keys = accessors(option, value, accessor)?,
            "stream_keys" => {
                self.stream_keys = accessors(option, value, |word| match word {
                    "$TAG" => Ok(StreamKey::Tag),
                    _ => accessor(word).map(StreamKey::Value),
                })?;
            }
            "host" => self.host = Some(option.text(value)?),
            "priority_keys" => self.priority_keys = accessors(option, value, accessor)?,
            "key_prefix" => self.key_prefix = option.text(value)?,
            "template_key" => self.template_key = Some(option.text(value)?),
            "record_keys" => self.record_keys = added(option, value)?,
            "flagged_keys" => self.flagged_keys = added(option, value)?,
            "events" => self.events = option.choice(value, &Events::WORDS)?,
            "foreign_events" => {
                self.foreign_events = option.choice(value, &ForeignEvents::WORDS)?;
            }
            "feedback_match" => self.feedback_match = Some(Pattern::new(&option.text(value)?)),
            "risk" => self.risk = option.flag(value)?,
            "board" => {
                let folder = option.text(value)?;
                self.board = (!folder.eq_ignore_ascii_case("none")).then(|| folder.into());
            }
            "state_file" => self.state_file = Some(option.text(value)?),
            "state_interval" => self.state_interval = option.number(value)?,
            "debug" => self.debug = option.flag(value)?,
            // Looked at before all others, by `allows_unknown`.
            ALLOW_UNKNOWN => drop(option.flag(value)?),
            other => unreachable!("{other} is in the table but not set"),
        }
        Ok(())
    }
}

/// The value of `option` as the configuration or the table has it.
fn value(option: &OwnOption, property: impl Fn(&str) -> Option<String>) -> String {
    let value = property(option.name);
    value.map_or_else(|| option.default.into(), |value| value.trim().to_owned())
}

/// The length of the queue that the configuration of the companion input asks for.
///
/// # Errors
/// The value is none that the option takes.
pub fn queue_length(property: impl Fn(&str) -> Option<String>) -> Result<usize, String> {
    let length = QUEUE_LENGTH.integer(&value(&QUEUE_LENGTH, property));
    length.map_err(|refusal| refusal.to_string())
}

/// Whether the configuration lets the plugin start in a program whose interface is unknown.
///
/// # Errors
/// The value is none that the option takes.
pub fn allows_unknown(property: impl Fn(&str) -> Option<String>) -> Result<bool, String> {
    let allows = UNKNOWN_VERSION.flag(&value(&UNKNOWN_VERSION, property));
    allows.map_err(|refusal| refusal.to_string())
}

/// A list of 1 to [`KEYS_MAX`] words, separated by commas, each of which `parse` takes, or gives a hint what is wrong with it.
fn list<T>(
    option: &OwnOption,
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Refusal> {
    let words = text.split(',').map(|word| parse(word.trim()));
    let list: Vec<T> = words
        .collect::<Result<_, _>>()
        .map_err(|hint| option.refuse(text, hint))?;
    if list.len() > KEYS_MAX {
        return Err(option.refuse(text, ""));
    }
    Ok(list)
}

fn accessors<T>(
    option: &OwnOption,
    text: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Refusal> {
    list(option, text, |word| {
        parse(word).map_err(|why| format!(" ({why})"))
    })
}

fn accessor(word: &str) -> Result<Accessor, String> {
    Accessor::parse(word).map_err(|why| why.to_string())
}

fn added(option: &OwnOption, text: &str) -> Result<Vec<Key>, Refusal> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Vec::new());
    }
    let mut keys: Vec<Key> = list(option, text, |word| {
        let known = Key::WORDS.iter().find(|(known, _)| *known == word);
        known
            .map(|&(_, key)| key)
            .ok_or_else(|| did_you_mean(word, Key::WORDS.map(|(known, _)| known)))
    })?;
    let mut before = Vec::new();
    keys.retain(|key| {
        !before.contains(key) && {
            before.push(*key);
            true
        }
    });
    Ok(keys)
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
        assert_eq!(settings.flagged_keys.len(), Key::WORDS.len() - 1);
        assert_eq!((settings.state_file, settings.events), (None, Events::Auto));
        assert_eq!(settings.feedback_match, None);
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
            ("foreign_events", "accept"),
            ("feedback_match", "feedback.*"),
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
        assert_eq!(settings.foreign_events, ForeignEvents::Accept);
        assert_eq!(settings.feedback_match, Some(Pattern::new("feedback.*")));
        assert_eq!((settings.state_interval, settings.debug), (60.0, true));
        assert_eq!(settings.state_file.as_deref(), Some("/x"));
    }

    #[test]
    fn a_bad_value_is_refused_with_what_would_be_right() {
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

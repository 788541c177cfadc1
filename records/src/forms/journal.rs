//! Entries of the systemd journal by their fields, as `journalctl -o json`, `export` and `verbose` give them.

use std::borrow::Cow;

use bellwether_core::lad::Transport;
use serde_json::{Map, Value};

use super::line::Line;
use crate::times::Stamp;

/// The fields of an entry that are read. Nothing else of it is text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields {
    realtime: String,
    source_realtime: String,
    host: String,
    identifier: String,
    comm: String,
    unit: String,
    user_unit: String,
    container: String,
    transport: String,
    facility: String,
    priority: String,
    message: Option<String>,
    /// It has a field that only the journal's entries have.
    is_entry: bool,
}

impl Fields {
    /// Takes a field. A second one of a name is ignored: a process may send a field twice.
    pub fn add(&mut self, name: &str, value: impl FnOnce() -> String) {
        let slot = match name {
            "MESSAGE" => {
                if self.message.is_none() {
                    self.message = Some(value());
                }
                return;
            }
            "__REALTIME_TIMESTAMP" => &mut self.realtime,
            "_SOURCE_REALTIME_TIMESTAMP" => &mut self.source_realtime,
            "_HOSTNAME" => &mut self.host,
            "_TRANSPORT" => &mut self.transport,
            "SYSLOG_FACILITY" => &mut self.facility,
            "SYSLOG_IDENTIFIER" => &mut self.identifier,
            "_COMM" => &mut self.comm,
            "_SYSTEMD_UNIT" => &mut self.unit,
            "_SYSTEMD_USER_UNIT" => &mut self.user_unit,
            "CONTAINER_NAME" => &mut self.container,
            "PRIORITY" => &mut self.priority,
            "__CURSOR" | "_BOOT_ID" | "_MACHINE_ID" => {
                self.is_entry = true;
                return;
            }
            _ => return,
        };
        self.is_entry |= name.starts_with('_');
        if slot.is_empty() {
            *slot = value();
        }
    }

    /// Gives the time that stands above the fields.
    pub fn at(&mut self, seconds: f64) {
        self.realtime = format!("{:.0}", seconds * 1e6);
        self.is_entry = true;
    }

    /// Whether there is an entry in it.
    pub fn is_entry(&self) -> bool {
        self.is_entry
    }

    /// The record of the entry.
    pub fn into_line(self) -> Line<'static> {
        let micros = [&self.realtime, &self.source_realtime]
            .into_iter()
            .find_map(|time| time.parse::<u64>().ok());
        // journald sets the transport itself; a field without an underscore is the process's own word.
        let transport = match &*self.transport {
            _ if !self.container.is_empty() => Transport::Container,
            "" => Transport::Unknown,
            // A process may write to the kernel's buffer, with another facility.
            "kernel" if matches!(&*self.facility, "" | "0") => Transport::Kernel,
            _ => Transport::Process,
        };
        let first = |names: [String; 3]| {
            names
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_default()
        };
        Line {
            time: micros.map_or(Stamp::Unknown, |micros| Stamp::At(micros as f64 / 1e6)),
            host: self.host.into(),
            program: first([self.identifier, self.comm, String::new()]).into(),
            unit: first([self.container, self.unit, self.user_unit]).into(),
            transport,
            priority: self.priority.parse().ok().filter(|priority| *priority <= 7),
            text: self.message.unwrap_or_default().into(),
            ..Line::default()
        }
    }
}

/// The record of an entry in JSON; `None` if the object is no entry of a journal.
pub fn json(object: &Map<String, Value>) -> Option<Line<'static>> {
    let mut fields = Fields::default();
    for (name, value) in object {
        fields.add(name, || text(value).into_owned());
    }
    fields.is_entry().then(|| fields.into_line())
}

/// The text of a value: a string, an array of bytes where it is not UTF-8 or not printable, or an array of these where a field is there
/// several times.
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Null => "".into(),
        Value::Array(values) => match bytes(values) {
            Some(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
            None => values.first().map(text).unwrap_or_default(),
        },
        other => other.to_string().into(),
    }
}

fn bytes(values: &[Value]) -> Option<Vec<u8>> {
    values
        .iter()
        .map(|value| u8::try_from(value.as_u64()?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::TIME;
    use super::*;

    fn of(text: &str) -> Option<Line<'static>> {
        let value: Value = serde_json::from_str(text).unwrap();
        json(value.as_object().unwrap())
    }

    #[test]
    fn an_entry_says_who_logged_it_and_other_fields_are_no_text() {
        for (text, transport, program, unit, said) in [
            (
                r#""_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"kernel","MESSAGE":"I/O error""#,
                Transport::Kernel,
                "kernel",
                "",
                "I/O error",
            ),
            (
                r#""_TRANSPORT":"kernel","SYSLOG_FACILITY":"3","SYSLOG_IDENTIFIER":"systemd","MESSAGE":"x""#,
                Transport::Process,
                "systemd",
                "",
                "x",
            ),
            (
                r#""_TRANSPORT":"syslog","SYSLOG_IDENTIFIER":"kernel","_COMM":"logger","_CMDLINE":"oom","MESSAGE":"x""#,
                Transport::Process,
                "kernel",
                "",
                "x",
            ),
            (
                r#""_TRANSPORT":"stdout","_COMM":"app","_SYSTEMD_UNIT":"app.service","MESSAGE":[98,7,255]"#,
                Transport::Process,
                "app",
                "app.service",
                "b\u{7}\u{fffd}",
            ),
            (
                r#""_TRANSPORT":"journal","CONTAINER_NAME":"web","SYSLOG_IDENTIFIER":"1a2b","MESSAGE":["a","b"]"#,
                Transport::Container,
                "1a2b",
                "web",
                "a",
            ),
            (
                r#""_TRANSPORT":"journal","MESSAGE":null"#,
                Transport::Process,
                "",
                "",
                "",
            ),
        ] {
            let entry = format!(
                r#"{{"__REALTIME_TIMESTAMP":"1795773600500000","_HOSTNAME":"hv1","PRIORITY":"3",{text}}}"#
            );
            let line = of(&entry).unwrap();
            assert_eq!(
                (line.time, &*line.host, line.priority),
                (Stamp::At(TIME + 0.5), "hv1", Some(3)),
                "{text}"
            );
            assert_eq!(
                (line.transport, &*line.program, &*line.unit, &*line.text),
                (transport, program, unit, said),
                "{text}"
            );
        }
        assert_eq!(of(r#"{"MESSAGE":"not of a journal"}"#), None);
    }
}

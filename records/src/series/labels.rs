//! Labels of series, as Prometheus writes them: `name{domain="vm1", instance="hv1:9177"}`.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::{Context as _, Result, ensure};

use super::reading::Reading;

/// The label that is the name of a metric.
pub const NAME: &str = "__name__";
/// Labels that name a VM, as exporters for libvirt and others have them; the first that all series have is taken.
pub const OF_VM: [&str; 8] = [
    "domain",
    "vm",
    "vm_name",
    "domain_name",
    "guest",
    "instance_name",
    "name",
    "instance",
];
/// Labels that name a hypervisor; the first that all series have is taken.
pub const OF_HYPERVISOR: [&str; 6] = [
    "hypervisor",
    "hypervisor_hostname",
    "host",
    "hostname",
    "node",
    "instance",
];

/// The labels of a series.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(pub BTreeMap<String, String>);

impl Labels {
    /// The value of a label that is not empty.
    pub fn get(&self, label: &str) -> Option<&str> {
        let value = self.0.get(label).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Parses `NAME{LABEL="VALUE",...}`, where either part may be missing, and returns what follows.
    pub fn parse(text: &str) -> Option<(Self, &str)> {
        let mut labels = BTreeMap::new();
        let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || "_:.-".contains(c);
        let name_end = text.find(|c| !is_part_of_name(c)).unwrap_or(text.len());
        let (name, mut rest) = text.split_at(name_end);
        if !name.is_empty() {
            labels.insert(NAME.to_owned(), name.to_owned());
        }
        if let Some(inside) = rest.trim_start_matches(' ').strip_prefix('{') {
            rest = inside.trim_start();
            loop {
                if let Some(after) = rest.strip_prefix('}') {
                    rest = after;
                    break;
                }
                let (label, after) = match rest.strip_prefix('"') {
                    // Names beyond letters and digits are in quotes, as of Prometheus 3.
                    Some(quoted) => quotation(quoted)?,
                    None => {
                        let end = rest.find(['=', '!', ' ', '}'])?;
                        (rest[..end].to_owned(), &rest[end..])
                    }
                };
                let after = after.trim_start();
                rest = match after.strip_prefix('=') {
                    Some(value) => {
                        let (value, after) = quotation(value.trim_start().strip_prefix('"')?)?;
                        labels.insert(label, value);
                        after
                    }
                    None => {
                        labels.insert(NAME.to_owned(), label);
                        after
                    }
                };
                rest = rest.trim_start();
                rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
            }
        }
        (!labels.is_empty()).then_some((Self(labels), rest))
    }
}

/// What is before the closing quotation mark, with escapes undone, and what follows it.
fn quotation(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self
            .0
            .iter()
            .map(|(label, value)| format!("{label}={value:?}"));
        write!(f, "{{{}}}", labels.collect::<Vec<_>>().join(", "))
    }
}

/// Which labels name the VM and the hypervisor of the series of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// The label of the VM.
    pub vm: String,
    /// The label of the hypervisor; none where the file's name is the hypervisor's.
    pub hypervisor: Option<String>,
}

impl Roles {
    /// Finds the labels that name the VM and the hypervisor in all of `series`.
    ///
    /// # Errors
    /// Series of which some have no such label, and which labels they have.
    pub fn find(series: &[&Labels], reading: &Reading) -> Result<Self> {
        let all_have = |label: &str| series.iter().all(|labels| labels.get(label).is_some());
        let given = |option: &str, label: &str| -> Result<String> {
            if let Some(without) = series.iter().find(|labels| labels.get(label).is_none()) {
                let known: Vec<&str> = without.0.keys().map(String::as_str).collect();
                anyhow::bail!(
                    "the series {without} has no label \"{label}\"; {option} takes one of {}",
                    known.join(", ")
                );
            }
            Ok(label.to_owned())
        };
        let vm = match &reading.vm_label {
            Some(label) => given("--vm-label", label)?,
            None => OF_VM
                .iter()
                .find(|label| all_have(label))
                .map(|label| (*label).to_owned())
                .with_context(|| {
                    let shown = series.first().map_or_else(String::new, ToString::to_string);
                    format!(
                        "no label names the VM in all series, such as {shown}; it takes one of {}, or another one by --vm-label",
                        OF_VM.join(", ")
                    )
                })?,
        };
        let hypervisor = match &reading.hypervisor_label {
            Some(label) => Some(given("--hypervisor-label", label)?),
            None => OF_HYPERVISOR
                .iter()
                .find(|label| **label != vm && all_have(label))
                .map(|label| (*label).to_owned()),
        };
        ensure!(
            hypervisor.as_deref() != Some(&vm),
            "--vm-label and --hypervisor-label are both \"{vm}\"; a VM and its hypervisor have different labels"
        );
        Ok(Self { vm, hypervisor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        Labels::parse(text).unwrap().0
    }

    #[test]
    fn labels_are_read_as_prometheus_writes_them() {
        let (found, rest) =
            Labels::parse(r#"cpu{domain="a\"b", instance="hv1:9177",} => 1"#).unwrap();
        assert_eq!(found.get(NAME), Some("cpu"));
        assert_eq!(found.get("domain"), Some("a\"b"));
        assert_eq!((found.0.len(), rest), (3, " => 1"));
        assert_eq!(labels(r#"{"the.cpu", "a-b"="c"}"#).get("a-b"), Some("c"));
        assert_eq!(labels("up 1").0.len(), 1);
        for text in ["", "{}", "{domain=a}", "{domain=\"a\"", "{domain"] {
            assert!(Labels::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_usual_labels_name_vm_and_hypervisor() {
        for (text, vm, hypervisor) in [
            (
                r#"{domain="a", instance="hv1:9177"}"#,
                "domain",
                Some("instance"),
            ),
            (r#"{instance="a:9100", job="node"}"#, "instance", None),
            (
                r#"{name="a", node="hv1", instance="x"}"#,
                "name",
                Some("node"),
            ),
        ] {
            let labels = labels(text);
            let roles = Roles::find(&[&labels], &Reading::default()).unwrap();
            assert_eq!((&*roles.vm, roles.hypervisor.as_deref()), (vm, hypervisor));
        }
    }

    #[test]
    fn a_label_that_is_missing_is_named_with_what_there_is() {
        let (a, b) = (labels(r#"{uuid="a", job="x"}"#), labels(r#"{domain="b"}"#));
        let error = Roles::find(&[&a, &b], &Reading::default()).unwrap_err();
        assert!(
            error.to_string().contains("{job=\"x\", uuid=\"a\"}"),
            "{error}"
        );
        let reading = Reading {
            vm_label: Some("uuid".into()),
            ..Reading::default()
        };
        let error = Roles::find(&[&a, &b], &reading).unwrap_err().to_string();
        assert!(
            error.contains("no label \"uuid\"; --vm-label takes one of domain"),
            "{error}"
        );
        assert_eq!(Roles::find(&[&a], &reading).unwrap().vm, "uuid");
    }
}

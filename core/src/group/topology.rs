//! The hosts of a cluster with their labels, and the groups that share a label's value.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::maintenance::NAME_MAX_BYTES;

/// Maximum number of labels of a host.
pub(crate) const LABELS_MAX: usize = 32;
/// Maximum length of a label's name or value in bytes.
pub(crate) const LABEL_MAX_BYTES: usize = 128;

/// Hosts that share the value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The label's name.
    pub label: Box<str>,
    /// Its value.
    pub value: Box<str>,
    /// Number of hosts.
    pub hosts: u32,
}

impl Group {
    /// Its name in events, such as `rack=r12`.
    pub fn name(&self) -> String {
        format!("{}={}", self.label, self.value)
    }
}

/// Why a topology is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TopologyError {
    /// A name, a label or a value is empty or too long: what it is, its length and the limit.
    Length(&'static str, usize, usize),
    /// A host has more labels than [`LABELS_MAX`].
    Labels,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Topology {
    /// The groups, ordered by label and value.
    groups: Vec<Group>,
    /// The indices of each host's groups.
    hosts: BTreeMap<Box<str>, Box<[u32]>>,
}

impl Topology {
    /// A topology of these hosts, each with the values of its labels by name.
    pub fn new(hosts: &BTreeMap<String, BTreeMap<String, String>>) -> Result<Self, TopologyError> {
        let checked = |what, text: &str, max| match text.len() {
            1.. if text.len() <= max => Ok(()),
            bytes => Err(TopologyError::Length(what, bytes, max)),
        };
        let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for (host, labels) in hosts {
            checked("name of a host", host, NAME_MAX_BYTES)?;
            if labels.len() > LABELS_MAX {
                return Err(TopologyError::Labels);
            }
            for (label, value) in labels {
                checked("name of a label", label, LABEL_MAX_BYTES)?;
                // An empty value is a way to write that the host has no such label.
                if !value.is_empty() {
                    checked("value of a label", value, LABEL_MAX_BYTES)?;
                    *counts.entry((label, value)).or_default() += 1;
                }
            }
        }
        let index: BTreeMap<_, _> = counts.keys().copied().zip(0u32..).collect();
        let of_host = |labels: &BTreeMap<String, String>| {
            let groups = labels
                .iter()
                .filter_map(|(l, v)| index.get(&(l.as_str(), v.as_str())));
            groups.copied().collect()
        };
        Ok(Self {
            hosts: hosts
                .iter()
                .map(|(host, labels)| (host.as_str().into(), of_host(labels)))
                .collect(),
            groups: counts
                .iter()
                .map(|(&(label, value), &hosts)| Group {
                    label: label.into(),
                    value: value.into(),
                    hosts,
                })
                .collect(),
        })
    }

    /// Whether it could have been made by [`Topology::new`].
    pub fn is_valid(&self) -> bool {
        let mut counts = vec![0u32; self.groups.len()];
        for group in self.hosts.values().flatten() {
            match counts.get_mut(*group as usize) {
                Some(count) => *count += 1,
                None => return false,
            }
        }
        let counted = counts.iter().zip(&self.groups);
        let is_ordered = self
            .groups
            .is_sorted_by(|a, b| (&a.label, &a.value) < (&b.label, &b.value));
        is_ordered
            && counted
                .into_iter()
                .all(|(count, group)| *count == group.hosts)
    }

    /// Number of hosts.
    pub fn len(&self) -> usize {
        self.hosts.len()
    }

    /// The groups, by index.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The names of the hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.keys().map(|name| &**name)
    }

    /// The indices of a host's groups; `None` if the host is unknown.
    pub fn groups_of(&self, host: &str) -> Option<&[u32]> {
        self.hosts.get(host).map(|groups| &**groups)
    }

    /// The value of a host's label; `None` if it has none.
    pub fn value(&self, host: &str, label: &str) -> Option<&str> {
        let groups = self.groups_of(host)?.iter();
        let mut groups = groups.map(|group| &self.groups[*group as usize]);
        groups
            .find(|group| &*group.label == label)
            .map(|group| &*group.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::group) fn topology(hosts: &[(&str, &[(&str, &str)])]) -> Topology {
        let text = |(label, value): &(&str, &str)| (label.to_string(), value.to_string());
        let hosts = hosts.iter();
        let hosts =
            hosts.map(|(host, labels)| (host.to_string(), labels.iter().map(text).collect()));
        Topology::new(&hosts.collect()).unwrap()
    }

    #[test]
    fn hosts_with_the_same_value_of_a_label_are_a_group() {
        let topology = topology(&[
            ("hv1", &[("rack", "a"), ("pool", "x")]),
            ("hv2", &[("rack", "a"), ("pool", "")]),
            ("hv3", &[("rack", "b"), ("pool", "a")]),
            ("hv4", &[]),
        ]);
        let groups: Vec<_> = topology
            .groups()
            .iter()
            .map(|g| (g.name(), g.hosts))
            .collect();
        let expected = [("pool=a", 1), ("pool=x", 1), ("rack=a", 2), ("rack=b", 1)];
        assert_eq!(
            groups,
            expected.map(|(name, hosts)| (name.to_owned(), hosts))
        );
        assert_eq!(topology.groups_of("hv1"), Some(&[1, 2][..]));
        assert_eq!(topology.groups_of("hv4"), Some(&[][..]));
        assert_eq!(topology.groups_of("hv5"), None);
        assert_eq!(topology.value("hv3", "rack"), Some("b"));
        assert_eq!(topology.value("hv2", "pool"), None);
        assert!(topology.is_valid());
    }

    #[test]
    fn a_topology_over_its_limits_is_refused() {
        let new = |host: &str, labels: Vec<(String, String)>| {
            Topology::new(&[(host.to_owned(), labels.into_iter().collect())].into()).err()
        };
        let long = "x".repeat(LABEL_MAX_BYTES + 1);
        let many = (0..=LABELS_MAX)
            .map(|i| (i.to_string(), "v".to_owned()))
            .collect();
        assert_eq!(new("hv", many), Some(TopologyError::Labels));
        assert!(matches!(
            new("", vec![]),
            Some(TopologyError::Length("name of a host", 0, _))
        ));
        let error = new("hv", vec![(long.clone(), "v".into())]);
        assert!(matches!(
            error,
            Some(TopologyError::Length("name of a label", 129, 128))
        ));
        let error = new("hv", vec![("l".into(), long)]);
        assert!(matches!(
            error,
            Some(TopologyError::Length("value of a label", 129, 128))
        ));
    }
}

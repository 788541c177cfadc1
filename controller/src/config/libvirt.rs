//! What the settings for libvirt must be together, and the connections that they describe.

use std::collections::BTreeMap;
use std::path::Path;

use super::sections::Libvirt;

/// What stands for the name of the host in a URI.
const HOST: &str = "{host}";
/// Maximum length of a host's name in bytes.
const NAME_MAX_BYTES: usize = 253;

/// A name that can stand in a URI or be a file's: letters, digits, dots, dashes and underscores, the first a letter or a digit.
///
/// # Errors
/// What is wrong with the name.
pub fn host_name(name: &str) -> Result<&str, String> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && name.len() <= NAME_MAX_BYTES && name.chars().all(is_allowed) {
        true => Ok(name),
        false => Err(format!(
            "\"{}\" is no name of a host for libvirt: it takes at most {NAME_MAX_BYTES} letters, digits, dots, dashes and underscores, \
             the first a letter or a digit",
            bellwether_core::text::shortened(name, 64)
        )),
    }
}

/// How hosts are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connections {
    uri: String,
    peer_uri: String,
    migrate_uri: Option<String>,
    hosts: BTreeMap<String, String>,
}

impl Connections {
    /// The URI by which the controller reaches a host.
    pub fn uri(&self, host: &str) -> String {
        self.of(&self.uri, host)
    }

    /// The URI by which the daemon of another host reaches a host.
    pub fn peer_uri(&self, host: &str) -> String {
        self.of(&self.peer_uri, host)
    }

    /// Where QEMU sends the memory of guests, if libvirt does not choose it.
    pub fn migrate_uri(&self, host: &str) -> Option<String> {
        let template = self.migrate_uri.as_ref();
        template.map(|template| template.replace(HOST, host))
    }

    fn of(&self, template: &str, host: &str) -> String {
        let own = self.hosts.get(host).cloned();
        own.unwrap_or_else(|| template.replace(HOST, host))
    }
}

/// A URI has a scheme, so it never begins with a dash, and neither spaces nor control characters.
fn is_uri(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    scheme.is_some_and(is_scheme) && text.chars().all(|c| c.is_ascii_graphic())
}

impl Libvirt {
    /// How hosts are reached.
    ///
    /// # Errors
    /// A URI or a name that cannot be used.
    pub fn connections(&self) -> Result<Connections, String> {
        let template = |name: &str, value: &str| match is_uri(value) && value.contains(HOST) {
            true => Ok(value.to_owned()),
            false => Err(format!(
                "\"{name}\" is \"{value}\"; it takes a URI with {HOST} in it, such as \"qemu+ssh://{HOST}/system\""
            )),
        };
        let uri = template("uri", &self.uri)?;
        let peer_uri = match self.peer_uri.as_str() {
            "" => uri.clone(),
            peer_uri => template("peer_uri", peer_uri)?,
        };
        let migrate_uri = match self.migrate_uri.as_str() {
            "" => None,
            migrate_uri => Some(template("migrate_uri", migrate_uri)?),
        };
        let mut hosts = BTreeMap::new();
        for entry in &self.hosts {
            let (host, uri) = entry.split_once('=').unwrap_or((entry, ""));
            host_name(host)?;
            if !is_uri(uri) {
                return Err(format!(
                    "\"hosts\" has \"{entry}\"; it takes entries such as \"{host}=URI\""
                ));
            }
            hosts.insert(host.to_owned(), uri.to_owned());
        }
        Ok(Connections {
            uri,
            peer_uri,
            migrate_uri,
            hosts,
        })
    }

    /// The guests that must not be together, each list of at least two.
    pub fn apart(&self) -> Vec<Vec<String>> {
        let names = |entry: &String| {
            entry
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect()
        };
        self.apart.iter().map(names).collect()
    }

    /// Checks what no setting can check alone.
    pub(super) fn check(&self) -> Result<(), String> {
        self.connections()?;
        for path in &self.shared_paths {
            if !Path::new(path).is_absolute() {
                return Err(format!(
                    "\"shared_paths\" has \"{path}\"; it takes absolute paths"
                ));
            }
        }
        for names in self.apart() {
            if names.len() < 2 || names.iter().any(String::is_empty) {
                return Err(format!(
                    "\"apart\" has \"{}\"; it takes at least two guests, such as \"db1,db2\"",
                    names.join(",")
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_options_or_change_a_uri_are_refused() {
        for name in [
            "",
            "-c",
            "--all",
            "a b",
            "a/b",
            "a?x=1",
            "a\n",
            ".",
            "..",
            "a;b",
            "ä",
            &"a".repeat(254),
        ] {
            assert!(host_name(name).is_err(), "{name}");
        }
        for name in ["kvm1", "kvm-1.example.org", "1a_b"] {
            host_name(name).unwrap();
        }
    }

    #[test]
    fn a_host_is_reached_by_its_own_uri_or_by_the_template() {
        let settings = Libvirt {
            uri: "qemu+ssh://{host}/system".into(),
            migrate_uri: "tcp://{host}".into(),
            hosts: vec!["kvm2=qemu+tls://10.0.0.2/system".into()],
            ..Libvirt::default()
        };
        let connections = settings.connections().unwrap();
        assert_eq!(connections.uri("kvm1"), "qemu+ssh://kvm1/system");
        assert_eq!(connections.peer_uri("kvm2"), "qemu+tls://10.0.0.2/system");
        assert_eq!(
            connections.migrate_uri("kvm2").as_deref(),
            Some("tcp://kvm2")
        );
    }
}

//! The names of hosts: what one half knows by its short name, the other may know by its full name.

/// Whether two names are those of one host: the same, or one of them is the first label of the other. Upper and lower case are the
/// same.
///
/// ```
/// use bellwether_agent::board::is_same_host;
///
/// assert!(is_same_host("kvm1", "KVM1.example.org"));
/// assert!(!is_same_host("kvm1.example.org", "kvm1.example.com"));
/// assert!(!is_same_host("kvm1", "kvm10"));
/// ```
pub fn is_same_host(a: &str, b: &str) -> bool {
    // By length first: this is asked for every pair of the hosts of both halves.
    let is_label_of = |short: &[u8], long: &[u8]| {
        long.get(short.len()) == Some(&b'.')
            && long[..short.len()].eq_ignore_ascii_case(short)
            && !short.contains(&b'.')
    };
    let (a, b) = (a.as_bytes(), b.as_bytes());
    a.eq_ignore_ascii_case(b) || is_label_of(a, b) || is_label_of(b, a)
}

/// The one of `hosts` that is the host `name`: that of this very name, or else the only one that [`is_same_host`]. `None` if there is
/// none, or if several could be it.
///
/// ```
/// use bellwether_agent::board::name_among;
///
/// let hosts = ["kvm1.example.org", "web.a.org", "web.b.org"];
/// assert_eq!(name_among(hosts, "kvm1"), Some("kvm1.example.org"));
/// assert_eq!(name_among(hosts, "web"), None);
/// assert_eq!(name_among(hosts, "web.b.org"), Some("web.b.org"));
/// ```
pub fn name_among<'a>(hosts: impl IntoIterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    let (mut same, mut others) = (None, 0);
    for host in hosts {
        if host == name {
            return Some(host);
        }
        if is_same_host(host, name) {
            others += usize::from(same.is_some());
            same = Some(host);
        }
    }
    same.filter(|_| others == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_by_its_short_and_its_full_name_unless_two_could_be_it() {
        let hosts = ["kvm1.example.org", "kvm2", "web.a.org", "web.b.org"];
        assert_eq!(name_among(hosts, "kvm1"), Some("kvm1.example.org"));
        assert_eq!(name_among(hosts, "KVM2.example.org"), Some("kvm2"));
        assert_eq!(name_among(hosts, "web"), None);
        assert_eq!(name_among(hosts, "web.b.org"), Some("web.b.org"));
        assert_eq!(name_among(hosts, "kvm3"), None);
        // The very name is found behind others that could be it.
        assert_eq!(name_among(["web.a.org", "web"], "web"), Some("web"));
    }

    #[test]
    fn a_label_within_a_name_or_an_empty_name_is_no_host() {
        assert!(!is_same_host("kvm1.example", "kvm1.example.org"));
        assert!(!is_same_host("example", "kvm1.example.org"));
        assert!(!is_same_host("", "kvm1"));
        assert!(is_same_host("kvm1.EXAMPLE.org", "KVM1.example.org"));
        assert!(is_same_host("KVM1.example.org", "kvm1"));
        // Of several bytes a character.
        assert!(!is_same_host("k", "kö.example.org"));
        assert!(is_same_host("kö", "kö.example.org"));
    }
}

//! Where guests may go.

use super::engine::Policy;
use super::options::words;
use super::terms::Health;

impl Policy {
    /// Whether the host `target` may take guests of the host `from`, by the options `target_same` and `target_other` and by what is
    /// known about it.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn may_receive(&self, from: &str, target: &str) -> Result<(), String> {
        let topology = self.groups.topology();
        if from == target {
            return Err("it is the host that is evacuated".into());
        }
        if topology.len() > 0 && topology.groups_of(target).is_none() {
            return Err("it is not in the topology".into());
        }
        if let Some(host) = self.state.hosts.get(target) {
            if host.health != Health::Green {
                return Err(format!("it is {}", host.health.as_str()));
            }
            if host.suggestion.is_some() {
                return Err("there is a suggestion to evacuate it".into());
            }
            if self.state.now < host.quiet_until {
                return Err("it was evacuated or dismissed within \"cooldown_sec\"".into());
            }
        }
        if let Some(group) = self.groups.anomalous(target) {
            return Err(format!("hosts of {group} turned together"));
        }
        let value = |host, label| topology.value(host, label);
        for label in words(&self.options.target_same) {
            let (wanted, found) = (value(from, label), value(target, label));
            if wanted.is_none() || wanted != found {
                let found = found.unwrap_or("missing");
                return Err(format!(
                    "its {label} is {found}, and that of {from} is {}",
                    wanted.unwrap_or("missing")
                ));
            }
        }
        for label in words(&self.options.target_other) {
            match (value(from, label), value(target, label)) {
                (Some(a), Some(b)) if a != b => {}
                (Some(same), Some(_)) => {
                    return Err(format!("its {label} is {same}, as that of {from}"));
                }
                _ => return Err(format!("the {label} of one of the two is unknown")),
            }
        }
        Ok(())
    }

    /// The known hosts that may take guests of `from`, in the order of [`Policy::hosts`].
    pub fn targets(&self, from: &str) -> impl Iterator<Item = &str> {
        self.hosts()
            .filter(move |target| self.may_receive(from, target).is_ok())
    }
}

//! Which guest goes where, and in which order. It only computes.

use std::collections::HashSet;

use super::guest::Guest;
use super::node::Node;

/// Limits and wishes of the configuration.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) first: Vec<String>,
    pub(super) apart: Vec<Vec<String>>,
    pub(super) reserve_mib: u64,
    pub(super) vcpus_per_cpu: f64,
}

/// Where guests go.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Placement {
    /// In the order in which they are moved.
    pub(super) moves: Vec<(Guest, String)>,
    /// Those that are not moved, with the reason.
    pub(super) stays: Vec<(Guest, String)>,
}

impl Rules {
    /// Those that are listed first in the order of the list, then small ones first.
    fn order(&self, guests: &mut [Guest]) {
        let rank = |guest: &Guest| {
            let listed = self.first.iter().position(|name| *name == guest.name);
            listed.unwrap_or(usize::MAX)
        };
        guests.sort_by(|a, b| {
            (rank(a), a.memory_mib, &a.name, &a.uuid).cmp(&(
                rank(b),
                b.memory_mib,
                &b.name,
                &b.uuid,
            ))
        });
    }

    /// Why a guest does not fit on a node.
    fn obstacle(&self, guest: &Guest, node: &Node) -> Option<String> {
        let free = node.free_mib.saturating_sub(self.reserve_mib);
        if guest.memory_mib > free {
            return Some(format!("{free} MiB of memory for guests free"));
        }
        let most = self.vcpus_per_cpu * f64::from(node.cpus);
        if f64::from(node.vcpus) + f64::from(guest.vcpus) > most {
            return Some(format!("{} of {most} virtual CPUs in use", node.vcpus));
        }
        if node.guests.contains(&guest.name) {
            return Some("a guest of this name".into());
        }
        let lists = self.apart.iter().filter(|list| list.contains(&guest.name));
        let mut others = lists.flatten().filter(|other| **other != guest.name);
        let other = others.find(|other| node.guests.contains(other))?;
        Some(format!("the guest {other}, from which it is kept apart"))
    }

    /// Places guests on nodes: each on the one with the most memory left. What was `tried` is not tried again.
    pub(super) fn place(
        &self,
        mut guests: Vec<Guest>,
        mut nodes: Vec<Node>,
        no_node: &str,
        tried: &HashSet<(String, String)>,
    ) -> Placement {
        self.order(&mut guests);
        let mut placement = Placement::default();
        for guest in guests {
            if !guest.obstacles.is_empty() {
                let why = guest.obstacles.join("; ");
                placement.stays.push((guest, why));
                continue;
            }
            let mut obstacles = Vec::new();
            let mut best: Option<&mut Node> = None;
            for node in &mut nodes {
                if tried.contains(&(guest.uuid.clone(), node.host.clone())) {
                    obstacles.push(format!("{} did not take it", node.host));
                } else if let Some(why) = self.obstacle(&guest, node) {
                    obstacles.push(format!("{} has {why}", node.host));
                } else if best
                    .as_ref()
                    .is_none_or(|best| node.free_mib > best.free_mib)
                {
                    best = Some(node);
                }
            }
            match best {
                Some(node) => {
                    node.free_mib = node.free_mib.saturating_sub(guest.memory_mib);
                    node.vcpus = node.vcpus.saturating_add(guest.vcpus);
                    node.guests.push(guest.name.clone());
                    placement.moves.push((guest, node.host.clone()));
                }
                None => {
                    obstacles.truncate(4);
                    let why = match obstacles.is_empty() {
                        true => no_node.to_owned(),
                        false => obstacles.join(", "),
                    };
                    let why = format!(
                        "no target takes its {} MiB and {} virtual CPUs: {why}",
                        guest.memory_mib, guest.vcpus
                    );
                    placement.stays.push((guest, why));
                }
            }
        }
        placement
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest(name: &str, memory_mib: u64) -> Guest {
        Guest {
            uuid: format!("uuid-{name}"),
            name: name.into(),
            memory_mib,
            vcpus: 2,
            obstacles: Vec::new(),
        }
    }

    fn node(host: &str, free_mib: u64, guests: &[&str]) -> Node {
        Node {
            host: host.into(),
            cpus: 8,
            free_mib,
            vcpus: 0,
            guests: guests.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn rules() -> Rules {
        Rules {
            first: vec!["db1".into(), "web".into()],
            apart: vec![vec!["db1".into(), "db2".into()]],
            reserve_mib: 1000,
            vcpus_per_cpu: 1.0,
        }
    }

    fn place(guests: Vec<Guest>, nodes: Vec<Node>) -> (Vec<(String, String)>, Vec<String>) {
        let placement = rules().place(guests, nodes, "none is green", &HashSet::new());
        let moves = placement
            .moves
            .into_iter()
            .map(|(guest, to)| (guest.name, to));
        let stays = placement
            .stays
            .into_iter()
            .map(|(guest, why)| format!("{}: {why}", guest.name));
        (moves.collect(), stays.collect())
    }

    #[test]
    fn listed_guests_go_first_and_then_small_ones() {
        let guests = ["a", "b", "web", "db1"].map(|name| guest(name, 100 + name.len() as u64));
        let mut guests = guests.to_vec();
        guests[0].memory_mib = 900;
        let (moves, stays) = place(guests, vec![node("hv2", 9000, &[])]);
        let order: Vec<_> = moves.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((order, stays.len()), (vec!["db1", "web", "b", "a"], 0));
    }

    #[test]
    fn each_guest_goes_where_most_memory_is_left_and_never_beside_one_that_it_is_kept_apart_from() {
        let guests = vec![guest("db1", 500), guest("x", 500), guest("y", 600)];
        let nodes = vec![node("hv2", 4000, &["db2"]), node("hv3", 3700, &[])];
        let (moves, _) = place(guests, nodes);
        let to = |name: &str| moves.iter().find(|(n, _)| n == name).unwrap().1.clone();
        assert_eq!(to("db1"), "hv3");
        assert_eq!((to("x"), to("y")), ("hv2".into(), "hv2".into()));
        // Two of them that leave together are kept apart, too.
        let both = vec![guest("db1", 500), guest("db2", 500)];
        let (moves, stays) = place(both, vec![node("hv2", 9000, &[])]);
        assert_eq!(moves.len(), 1);
        assert!(
            stays[0].contains("db2") && stays[0].contains("kept apart"),
            "{stays:?}"
        );
    }

    #[test]
    fn a_guest_without_a_target_stays_with_the_reasons() {
        let (_, stays) = place(vec![guest("big", 5000)], vec![node("hv2", 5999, &[])]);
        assert!(stays[0].contains("hv2 has 4999 MiB"), "{stays:?}");
        let mut busy = node("hv2", 9000, &[]);
        busy.vcpus = 7;
        let (_, stays) = place(vec![guest("x", 1)], vec![busy]);
        assert!(stays[0].contains("7 of 8 virtual CPUs"), "{stays:?}");
        let (_, stays) = place(vec![guest("x", 1)], vec![]);
        assert!(stays[0].contains("none is green"), "{stays:?}");
        let mut bound = guest("bound", 1);
        bound.obstacles.push("it has a device of the host".into());
        let (moves, stays) = place(vec![bound], vec![node("hv2", 9000, &[])]);
        assert!(moves.is_empty() && stays[0].contains("a device of the host"));
    }

    #[test]
    fn a_target_that_did_not_take_a_guest_is_not_tried_again() {
        let tried = HashSet::from([("uuid-x".to_owned(), "hv2".to_owned())]);
        let nodes = vec![node("hv2", 9000, &[]), node("hv3", 4000, &[])];
        let placement = rules().place(vec![guest("x", 1)], nodes, "", &tried);
        assert_eq!(placement.moves[0].1, "hv3");
    }
}

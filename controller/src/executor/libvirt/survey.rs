//! What an evacuation would do: the guests of the host, where each would go, and how long it would take.

use std::collections::HashSet;
use std::sync::Arc;

use bellwether_core::text::duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::contract::{Failure, Plan};
use super::estimate::Estimate;
use super::guest::{self, Guest};
use super::inner::Inner;
use super::node::Node;
use super::place::Placement;

/// Hosts or guests that are asked about at once.
const AT_ONCE: usize = 8;
/// Guests that stay which the words of a plan name.
const NAMED_MAX: usize = 10;

/// What was found out.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) placement: Placement,
    estimate: Estimate,
}

/// Does something with each item, `at_once` at a time; begins in the order of the items, which the results keep.
pub(super) async fn each<T, R, F>(items: Vec<T>, at_once: usize, work: impl Fn(T) -> F) -> Vec<R>
where
    R: Send + 'static,
    F: Future<Output = R> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(at_once));
    let mut tasks = JoinSet::new();
    for (at, item) in items.into_iter().enumerate() {
        let permit = Arc::clone(&permits).acquire_owned().await;
        let work = work(item);
        tasks.spawn(async move {
            let result = work.await;
            drop(permit);
            (at, result)
        });
    }
    let mut results = tasks.join_all().await;
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Inner {
    /// The guests of a host, without those in `left`.
    async fn guests(
        self: &Arc<Self>,
        host: &str,
        left: &HashSet<String>,
    ) -> Result<Vec<Guest>, Failure> {
        let mut uuids = self.virsh.guests(host, false).await?;
        uuids.retain(|uuid| !left.contains(uuid));
        let describe = |uuid: String| {
            let (inner, host) = (Arc::clone(self), host.to_owned());
            async move {
                let xml = inner
                    .virsh
                    .ask(&host, &["dumpxml", "--domain", &uuid])
                    .await;
                let read = xml.map_err(|Failure(why)| why);
                let read = read.and_then(|xml| guest::parse(&xml, &inner.shared_paths));
                match read {
                    Ok(guest) if guest.uuid == uuid => guest,
                    other => Guest {
                        name: uuid.clone(),
                        memory_mib: 0,
                        vcpus: 0,
                        obstacles: vec![format!(
                            "its description cannot be used: {}",
                            other
                                .err()
                                .unwrap_or_else(|| "it is another guest's".into())
                        )],
                        uuid,
                    },
                }
            }
        };
        Ok(each(uuids, AT_ONCE, describe).await)
    }

    async fn node(&self, host: &str) -> Result<Node, String> {
        let (info, memory, stats) = tokio::join!(
            self.virsh.ask(host, &["nodeinfo"]),
            self.virsh.ask(host, &["nodememstats"]),
            self.virsh.ask(
                host,
                &[
                    "domstats",
                    "--list-active",
                    "--nowait",
                    "--balloon",
                    "--vcpu"
                ]
            )
        );
        let node = info.and_then(|info| Ok((info, memory?, stats?)));
        let (info, memory, stats) = node.map_err(|Failure(why)| why)?;
        Node::parse(host, &info, &memory, &stats).map_err(|why| format!("{host}: {why}"))
    }

    /// Finds out what there is to do. What was `tried` is not tried again.
    pub(super) async fn survey(
        self: &Arc<Self>,
        host: &str,
        tried: &HashSet<(String, String)>,
        left: &HashSet<String>,
    ) -> Result<Survey, Failure> {
        let guests = self.guests(host, left).await?;
        let cordoned = self.cordoned()?;
        let targets = self
            .ledger
            .targets(host, self.settings.max_targets, cordoned);
        let (targets, mut reasons) = targets.await?;
        let ask = |target: String| {
            let inner = Arc::clone(self);
            async move { inner.node(&target).await }
        };
        let mut nodes = Vec::new();
        // Without guests, nobody need be asked.
        let targets = match guests.is_empty() {
            true => Vec::new(),
            false => targets,
        };
        for node in each(targets, AT_ONCE, ask).await {
            match node {
                Ok(node) => nodes.push(node),
                Err(why) => reasons.insert(0, why),
            }
        }
        let past = self.ledger.past().await?;
        Ok(Survey {
            placement: self.rules.place(guests, nodes, &reasons.join("; "), tried),
            estimate: Estimate::fit(&past),
        })
    }

    /// The plan in words.
    pub(super) fn plan(&self, survey: &Survey) -> Plan {
        let Placement { moves, stays } = &survey.placement;
        let settings = &self.settings;
        let memory: Vec<u64> = moves.iter().map(|(guest, _)| guest.memory_mib).collect();
        let ends = survey
            .estimate
            .ends(&memory, settings.parallel, settings.bandwidth_mib_s);
        let total = ends.iter().copied().fold(0.0, f64::max);
        let basis = match survey.estimate.count {
            0 => "assumed, as there are too few past migrations".to_owned(),
            count => format!("from {count} past migrations"),
        };
        let mut note = format!(
            "{} with {} MiB to move, {} at once: about {} ({basis}); the host is expected to last {}",
            guests(moves.len()),
            memory.iter().sum::<u64>(),
            settings.parallel,
            duration(total),
            duration(settings.lead_sec)
        );
        let late = moves
            .iter()
            .zip(&ends)
            .filter(|(_, end)| **end > settings.lead_sec);
        let late: Vec<&str> = late.map(|((guest, _), _)| guest.name.as_str()).collect();
        if !late.is_empty() {
            note += &format!("; {} of them later than that: {}", late.len(), names(&late));
        }
        if !stays.is_empty() {
            let reasons = stays
                .iter()
                .map(|(guest, why)| format!("{}: {why}", guest.name));
            let reasons: Vec<String> = reasons.take(NAMED_MAX).collect();
            note += &format!(
                "; {} cannot be moved: {}",
                guests(stays.len()),
                reasons.join("; ")
            );
        }
        if settings.cordon_folder.is_none() && !self.has_cordon {
            note += "; nothing keeps new guests away from the host";
        }
        Plan {
            moves: moves
                .iter()
                .map(|(guest, target)| (guest.name.clone(), Some(target.clone())))
                .collect(),
            estimate_sec: Some(total),
            note,
        }
    }
}

/// Names in a list that ends somewhere.
fn names(all: &[&str]) -> String {
    let mut text = all[..all.len().min(NAMED_MAX)].join(", ");
    if all.len() > NAMED_MAX {
        text += ", ...";
    }
    text
}

/// A number of guests in words.
pub(super) fn guests(count: usize) -> String {
    match count {
        1 => "1 guest".into(),
        count => format!("{count} guests"),
    }
}

//! What libvirt says about a host and the guests on it: `list`, `nodeinfo`, `nodememstats`, `domstats` and `domjobinfo`.

use super::guest::is_uuid;

/// What a target has and what is free.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) cpus: u32,
    /// Memory that guests can have, in MiB: what is free now, and at most what is not promised to other guests.
    pub(super) free_mib: u64,
    /// CPUs of its guests.
    pub(super) vcpus: u32,
    /// Names of its guests.
    pub(super) guests: Vec<String>,
}

/// The UUIDs of `virsh list --uuid`.
pub(super) fn uuids(text: &str) -> Result<Vec<String>, String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let uuid = |line: &str| match is_uuid(line) {
        true => Ok(line.to_ascii_lowercase()),
        false => Err(garbage("list", line)),
    };
    lines.map(uuid).collect()
}

fn garbage(command: &str, found: &str) -> String {
    let found = bellwether_core::text::shortened(found, 80);
    format!("the output of \"virsh {command}\" cannot be read: \"{found}\"")
}

/// The value of a line `NAME: VALUE [UNIT]`.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(other, _)| other.trim() == name)?;
    value.split_whitespace().next()
}

/// The number of CPUs, from `virsh nodeinfo`.
pub(super) fn cpus(text: &str) -> Result<u32, String> {
    let cpus = value(text, "CPU(s)").and_then(|cpus| cpus.parse().ok());
    cpus.ok_or_else(|| garbage("nodeinfo", text))
}

/// All memory and the memory that can be had, in MiB, from `virsh nodememstats`.
pub(super) fn memory(text: &str) -> Result<(u64, u64), String> {
    let kib = |name| {
        let count = value(text, name).and_then(|count| count.parse::<u64>().ok());
        count.ok_or_else(|| garbage("nodememstats", text))
    };
    // Some kernels' hosts do not say what is cached.
    let cached = kib("cached")
        .unwrap_or(0)
        .saturating_add(kib("buffers").unwrap_or(0));
    let total = kib("total")?;
    let free = kib("free")?.saturating_add(cached).min(total);
    Ok((total >> 10, free >> 10))
}

/// The guests' names, their memory in MiB and the number of their CPUs, from `virsh domstats --balloon --vcpu`.
pub(super) fn guests(text: &str) -> Result<(Vec<String>, u64, u32), String> {
    let (mut names, mut kib, mut vcpus) = (Vec::new(), 0_u64, 0_u32);
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("Domain: ") {
            names.push(name.trim_matches('\'').to_owned());
            continue;
        }
        let Some((name, count)) = line.split_once('=') else {
            match line {
                "" => continue,
                _ => return Err(garbage("domstats", line)),
            }
        };
        let count = || count.parse::<u64>().map_err(|_| garbage("domstats", line));
        match name {
            "balloon.maximum" => kib = kib.saturating_add(count()?),
            "vcpu.current" => {
                vcpus = vcpus.saturating_add(u32::try_from(count()?).unwrap_or(u32::MAX))
            }
            _ => {}
        }
    }
    Ok((names, kib >> 10, vcpus))
}

impl Node {
    /// A node from the outputs of `nodeinfo`, `nodememstats` and `domstats`.
    pub(super) fn parse(
        host: &str,
        info: &str,
        memory_stats: &str,
        stats: &str,
    ) -> Result<Self, String> {
        let (total, free) = memory(memory_stats)?;
        let (guests, promised, vcpus) = guests(stats)?;
        Ok(Self {
            host: host.to_owned(),
            cpus: cpus(info)?,
            free_mib: free.min(total.saturating_sub(promised)),
            vcpus,
            guests,
        })
    }
}

/// A job of a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum JobState {
    /// There is none, or it has ended.
    Idle,
    /// One is under way; how far, for people.
    Active(String),
}

/// The job that `virsh domjobinfo` shows.
pub(super) fn job(text: &str) -> Result<JobState, String> {
    match value(text, "Job type") {
        Some("Bounded" | "Unbounded") => {}
        Some("None" | "Completed" | "Failed" | "Cancelled") => return Ok(JobState::Idle),
        _ => return Err(garbage("domjobinfo", text)),
    }
    let amount = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(other, _)| other.trim() == name)
            .map(|(_, value)| value.trim())
    };
    Ok(JobState::Active(
        match (amount("Memory remaining"), amount("Memory total")) {
            (Some(remaining), Some(total)) => format!("{remaining} of {total} remaining"),
            _ => "under way".into(),
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "CPU model:           x86_64\nCPU(s):              16\nCPU frequency:       2400 MHz\nCPU socket(s):       1\n\
        Core(s) per socket:  8\nThread(s) per core:  2\nNUMA cell(s):        1\nMemory size:         65791080 KiB\n\n";
    const MEMORY: &str = "total  :             65791080 KiB\nfree   :             10485760 KiB\nbuffers:               102400 KiB\n\
        cached :             20971520 KiB\n\n";
    const STATS: &str = "Domain: 'db1'\n  balloon.current=8388608\n  balloon.maximum=16777216\n  vcpu.current=4\n  vcpu.maximum=8\n  \
        vcpu.0.state=1\n\nDomain: 'web'\n  balloon.maximum=33554432\n  vcpu.current=2\n\n";

    #[test]
    fn of_a_target_at_most_what_is_not_promised_to_other_guests_is_free() {
        let node = Node::parse("kvm2", INFO, MEMORY, STATS).unwrap();
        // 64,249 MiB in all, of which 49,152 are promised; 30,820 are free or cached.
        assert_eq!(node.free_mib, 64_249 - 49_152);
        assert_eq!((node.cpus, node.vcpus), (16, 6));
        assert_eq!(node.guests, ["db1", "web"]);
        let empty = Node::parse("kvm2", INFO, MEMORY, "\n").unwrap();
        assert_eq!((empty.free_mib, empty.vcpus), (30_820, 0));
    }

    #[test]
    fn garbage_is_refused_with_the_command_that_gave_it() {
        for (info, memory, stats, command) in [
            ("", MEMORY, STATS, "nodeinfo"),
            ("CPU(s): many", MEMORY, STATS, "nodeinfo"),
            (INFO, "free : 1 KiB", STATS, "nodememstats"),
            (INFO, MEMORY, "<html>", "domstats"),
            (INFO, MEMORY, "Domain: 'a'\n  vcpu.current=x\n", "domstats"),
        ] {
            let error = Node::parse("kvm2", info, memory, stats).unwrap_err();
            assert!(error.contains(command), "{error}");
        }
        assert!(
            uuids("6c0b6e3a-8f5b-4b0c-9a53-6c7a3e1f9d21\nfoo\n")
                .unwrap_err()
                .contains("foo")
        );
        assert!(job("hello").unwrap_err().contains("domjobinfo"));
    }

    #[test]
    fn a_job_under_way_says_how_far_it_is() {
        let running = "Job type:         Unbounded   \nOperation:        Outgoing migration\nTime elapsed:     1234         ms\n\
            Data processed:   1.234 GiB\nData remaining:   800.000 MiB\nData total:       2.016 GiB\nMemory processed: 1.234 GiB\n\
            Memory remaining: 800.000 MiB\nMemory total:     2.016 GiB\n";
        let active = JobState::Active("800.000 MiB of 2.016 GiB remaining".into());
        assert_eq!(job(running).unwrap(), active);
        assert_eq!(
            job("Job type:         None        \n\n").unwrap(),
            JobState::Idle
        );
        assert_eq!(
            job("Job type:         Completed   \nTime elapsed: 1 ms\n").unwrap(),
            JobState::Idle
        );
    }
}

//! Metrics that are watched and never come: a metric that nobody gives is as quiet as a healthy one.

use crate::virt::{Kind, LATENCY, METRICS, UNREAD_BECAUSE, source_of};

/// How long after the first value of any VM, in seconds and in intervals, the others should have come.
const WAIT_SEC: f64 = 300.0;
/// See [`WAIT_SEC`].
const WAIT_INTERVALS: f64 = 3.0;

/// Which metrics have had a value. See the [module](self).
#[derive(Debug, Default)]
pub struct Lacking {
    seen: [bool; METRICS.len()],
    /// When the first value came, and its interval; seconds.
    first: Option<(f64, f64)>,
    said: bool,
}

impl Lacking {
    /// A value of that kind came at `now`, seconds, and the next one is due after `interval`.
    #[inline]
    pub fn saw(&mut self, kind: Kind, now: f64, interval: f64) {
        if self.said {
            return;
        }
        if let Some(metric) = kind.metric() {
            self.seen[metric] = true;
            self.first.get_or_insert((now, interval));
        }
    }

    /// At `now`, seconds, and once: which of the metrics that are `watched` no VM has, and what would bring them; those that are
    /// `unread` never come.
    pub fn turn(
        &mut self,
        now: f64,
        watched: &[bool; METRICS.len()],
        unread: &[String],
    ) -> Option<String> {
        let (first, interval) = self.first.filter(|_| !self.said)?;
        let wait = WAIT_SEC.max(WAIT_INTERVALS * interval);
        if now - first < wait {
            return None;
        }
        self.said = true;
        let has = |metric: usize| match metric {
            LATENCY => [Kind::DiskOps, Kind::DiskTime]
                .iter()
                .all(|kind| kind.metric().is_some_and(|metric| self.seen[metric])),
            metric => self.seen[metric],
        };
        let lacking: Vec<String> = (0..METRICS.len())
            .filter(|metric| watched[*metric] && !has(*metric))
            .map(|metric| format!("{} ({})", METRICS[metric], source_of(metric)))
            .chain(
                unread
                    .iter()
                    .map(|metric| format!("{metric} ({UNREAD_BECAUSE})")),
            )
            .collect();
        if lacking.is_empty() {
            return None;
        }
        let minutes = (wait / 60.0).ceil();
        Some(format!(
            "VMs have reported for {minutes:.0} min without a value of {}; nothing is detected by what does not come",
            lacking.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virt::UNREAD;

    /// The line after VMs have reported these kinds for a while, with these metrics watched.
    fn line(kinds: &[Kind], metrics: &[&str]) -> Option<String> {
        let mut lacking = Lacking::default();
        let watched = METRICS.map(|metric| metrics.contains(&metric));
        let unread: Vec<String> = metrics
            .iter()
            .filter(|metric| UNREAD.contains(metric))
            .map(|metric| (*metric).to_owned())
            .collect();
        assert_eq!(lacking.turn(1e9, &watched, &unread), None);
        for kind in kinds {
            lacking.saw(*kind, 1000.0, 10.0);
        }
        assert_eq!(lacking.turn(1299.0, &watched, &unread), None);
        let line = lacking.turn(1300.0, &watched, &unread);
        assert_eq!(lacking.turn(2000.0, &watched, &unread), None, "once");
        line
    }

    #[test]
    fn a_metric_that_never_comes_is_named_once_with_what_would_bring_it() {
        let metrics = ["cpu", "disk_time", "disk_latency", "net_packets"];
        let said = line(&[Kind::Cpu, Kind::DiskOps, Kind::NetPackets], &metrics);
        assert_eq!(
            said.unwrap(),
            "VMs have reported for 5 min without a value of disk_time (virt gives it only with ExtraStats \"disk\"), disk_latency \
             (it takes disk_ops and disk_time, and virt gives disk_time only with ExtraStats \"disk\"); nothing is detected by what \
             does not come"
        );
        let said = line(&[Kind::State, Kind::NetPackets], &["cpu", "net_packets"]).unwrap();
        assert!(
            said.contains("without a value of cpu (virt gives virt_cpu_total"),
            "{said}"
        );
    }

    #[test]
    fn where_nothing_lacks_or_no_vm_reports_there_is_no_line() {
        let both = [Kind::CpuPercent, Kind::DiskOps, Kind::DiskTime];
        assert_eq!(line(&both, &["cpu", "disk_latency"]), None);
        assert_eq!(line(&[], &["cpu", "disk_latency"]), None);
    }

    #[test]
    fn what_virt_never_gives_is_named_with_the_reason() {
        let said = line(&[Kind::Cpu], &["cpu", "vcpu_delay"]).unwrap();
        let never = "of vcpu_delay (no version of virt reads libvirt's vcpu.N.delay";
        assert!(said.contains(never), "{said}");
    }

    #[test]
    fn rare_samples_get_the_time_to_come() {
        let mut lacking = Lacking::default();
        let watched = METRICS.map(|metric| metric == "cpu");
        lacking.saw(Kind::DiskOps, 0.0, 300.0);
        assert_eq!(lacking.turn(899.0, &watched, &[]), None);
        assert!(lacking.turn(900.0, &watched, &[]).is_some());
    }
}

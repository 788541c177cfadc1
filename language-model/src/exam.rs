//! Templates with known verdicts: the exam of a model, and the canaries that stand between the questions.
//!
//! All are messages as Linux, QEMU, libvirt and storage programs print them, without parameters, and leave no doubt. The canaries
//! are none of the exam's, so that a model is not asked the same ones again and again.

use crate::question::Verdict;

/// Number of right answers that pass the exam.
pub(crate) const PASSES: usize = 18;

/// A template and what it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub program: &'static str,
    pub template: &'static str,
    pub verdict: Verdict,
}

const fn failing(program: &'static str, template: &'static str) -> Known {
    Known {
        program,
        template,
        verdict: Verdict::Failing,
    }
}

const fn normal(program: &'static str, template: &'static str) -> Known {
    Known {
        program,
        template,
        verdict: Verdict::Normal,
    }
}

/// The exam: half of it fails.
pub(crate) const EXAM: [Known; 20] = [
    failing(
        "kernel",
        "Out of memory: Killed process <*> (qemu-system-x86) total-vm:<*>kB, anon-rss:<*>kB",
    ),
    normal("systemd", "Started Session <*> of User <*>."),
    failing(
        "kernel",
        "blk_update_request: critical medium error, dev <*>, sector <*> op 0x0:(READ)",
    ),
    normal(
        "kernel",
        "usb <*>: new high-speed USB device number <*> using xhci_hcd",
    ),
    failing(
        "kernel",
        "md/raid1:<*>: Disk failure on <*>, disabling device. Operation continuing on <*> devices.",
    ),
    normal("chronyd", "Selected source <*>"),
    failing(
        "kernel",
        "mce: [Hardware Error]: Machine check events logged: Uncorrected error, bank <*>",
    ),
    normal(
        "kernel",
        "EXT4-fs (<*>): mounted filesystem with ordered data mode. Quota mode: none.",
    ),
    failing(
        "kernel",
        "INFO: task <*> blocked for more than <*> seconds.",
    ),
    normal("sshd", "Accepted publickey for <*> from <*> port <*> ssh2"),
    failing(
        "kernel",
        "EXT4-fs error (device <*>): ext4_find_entry: reading directory lblock <*>: remounting filesystem read-only",
    ),
    normal(
        "smartd",
        "Device: <*>, SMART Usage Attribute: 194 Temperature_Celsius changed from <*> to <*>",
    ),
    failing(
        "qemu-system-x86_64",
        "kvm: KVM internal error. Suberror: <*>: emulation failure, guest stopped",
    ),
    normal("libvirtd", "Domain id=<*> name='<*>' started"),
    failing(
        "kernel",
        "watchdog: BUG: soft lockup - CPU#<*> stuck for <*>s! [<*>]",
    ),
    normal(
        "CRON",
        "(root) CMD (command -v debian-sa1 > /dev/null && debian-sa1 <*> <*>)",
    ),
    failing(
        "kernel",
        "nvme <*>: controller is down; will reset: CSTS=<*>; Device not ready; aborting reset, removing device",
    ),
    normal("systemd", "logrotate.service: Deactivated successfully."),
    failing(
        "multipathd",
        "<*>: all paths are down, <*> active paths remain: 0, failing I/O",
    ),
    normal("kernel", "device <*> entered promiscuous mode"),
];

/// What the canaries are chosen from.
pub(crate) const FAILING_CANARIES: [Known; 10] = [
    failing(
        "kernel",
        "Kernel panic - not syncing: Fatal exception in interrupt",
    ),
    failing(
        "kernel",
        "XFS (<*>): Filesystem has been shut down due to log error (<*>).",
    ),
    failing(
        "kernel",
        "EDAC MC<*>: <*> UE memory read error on <*> (uncorrectable)",
    ),
    failing(
        "smartd",
        "Device: <*>, FAILED SMART self-check. BACK UP DATA NOW!",
    ),
    failing(
        "mdadm",
        "DegradedArray event detected on md device <*>: array is running without redundancy, <*> disks failed",
    ),
    failing("kernel", "sd <*>: rejecting I/O to offline device"),
    failing(
        "kernel",
        "BUG: unable to handle kernel NULL pointer dereference at <*>",
    ),
    failing(
        "kernel",
        "Buffer I/O error on dev <*>, logical block <*>, lost async page write",
    ),
    failing(
        "ceph-osd",
        "<*> failed to read superblock: Input/output error, osd aborts",
    ),
    failing(
        "kernel",
        "CPU<*>: Core temperature is above critical threshold, system will shut down",
    ),
];

/// The same of messages that report nothing bad.
pub(crate) const NORMAL_CANARIES: [Known; 10] = [
    normal("systemd", "Finished Daily apt download activities."),
    normal("systemd-logind", "New session <*> of user <*>."),
    normal("kernel", "<*>: link becomes ready"),
    normal(
        "rsyslogd",
        "[origin software=\"rsyslogd\" swVersion=\"<*>\"] rsyslogd was HUPed",
    ),
    normal("kernel", "sd <*>: [<*>] Attached SCSI disk"),
    normal("dnsmasq-dhcp", "DHCPACK(<*>) <*> <*> <*>"),
    normal("libvirtd", "libvirt version: <*>, package: <*>"),
    normal(
        "systemd-timesyncd",
        "Synchronized to time server <*> (<*>).",
    ),
    normal("kernel", "md: <*>: data-check done."),
    normal(
        "dbus-daemon",
        "[system] Successfully activated service '<*>'",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::prompt::{TEMPLATE_MAX_BYTES, neutral};

    #[test]
    fn half_of_the_exam_fails_and_no_known_template_is_there_twice() {
        let is_failing = |known: &&Known| known.verdict == Verdict::Failing;
        assert_eq!(EXAM.iter().filter(is_failing).count(), EXAM.len() / 2);
        assert!(FAILING_CANARIES.iter().all(|known| is_failing(&known)));
        assert!(!NORMAL_CANARIES.iter().any(|known| is_failing(&known)));
        let all: Vec<_> = [&EXAM[..], &FAILING_CANARIES, &NORMAL_CANARIES].concat();
        let different: HashSet<_> = all.iter().map(|known| known.template).collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn known_templates_are_sent_as_they_are() {
        for known in [&EXAM[..], &FAILING_CANARIES, &NORMAL_CANARIES].concat() {
            assert!(known.template.len() <= TEMPLATE_MAX_BYTES);
            assert_eq!(neutral(known.template), known.template);
        }
    }
}

//! The topics of log lines, which the log limiter counts separately.

/// Something that is worth a line of the log, again while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The queue was full.
    Dropped,
    /// A value does not name its VM.
    Unnamed,
    /// There are more VMs than the plugin tracks.
    Full,
    /// Hypervisors that no longer report were replaced by others.
    HypervisorsEvicted,
    /// VMs that no longer report were replaced by others.
    VmsEvicted,
    /// A notification plugin takes long.
    Listener,
    /// Notifications were lost.
    Lost,
    /// The state cannot be saved.
    State,
    /// The detector refuses a value.
    Refused,
    /// A VM has nothing better than CPU use in percent; logged once.
    PercentOnly,
    /// Most VMs of a hypervisor changed to another interval.
    IntervalChanged,
    /// Each VM of a hypervisor has an interval of its own.
    Unjudged,
    /// The VMs of a hypervisor have too many intervals.
    Intervals,
    /// The clock of a VM is wrong.
    VmClock,
    /// The clock of most VMs of a hypervisor stepped.
    ClockStep,
    /// The clock of this machine was set.
    WallStep,
    /// Every hypervisor has one VM; logged once.
    LoneVms,
    /// Lines of the file of maintenance windows are wrong, or it cannot be read.
    MaskFile,
    /// A notification gives no maintenance window.
    MaskNotification,
    /// The kernel has no pressure stall information; logged once.
    NoPressure,
    /// Plugins of collectd that have resources are not loaded; logged once.
    NoResources,
    /// The state of the hosts cannot be published.
    Board,
    /// Hardly ever do two VMs of a hypervisor vote.
    NoVotes,
}

impl Topic {
    /// Whether one line is enough, for what is no failure.
    pub fn once(self) -> bool {
        matches!(
            self,
            Topic::PercentOnly | Topic::LoneVms | Topic::NoPressure | Topic::NoResources
        )
    }
}

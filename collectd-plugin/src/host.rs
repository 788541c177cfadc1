//! What the plugin needs of the daemon that it runs in; the tests have a daemon of their own.

/// How grave a line of the log is, as syslog numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Something does not work.
    Error = 3,
    /// Something is likely to be wrong.
    Warning = 4,
    /// Worth knowing once.
    Notice = 5,
    /// What goes on.
    Info = 6,
}

/// A gauge to be dispatched under the plugin's own name.
#[derive(Debug, Clone, PartialEq)]
pub struct Gauge<'a> {
    /// collectd's plugin instance: a hypervisor, or empty.
    pub plugin_instance: &'a str,
    /// One of collectd's stock types.
    pub type_: &'a str,
    /// collectd's type instance.
    pub type_instance: &'a str,
    /// Seconds since the epoch.
    pub time: f64,
    /// Seconds until the next one.
    pub interval: f64,
    /// The value.
    pub value: f64,
}

/// How grave a notification is, as collectd numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Act.
    Failure = 1,
    /// Look at it.
    Warning = 2,
    /// All is well again.
    Okay = 4,
}

/// A notification to be dispatched under the plugin's own name.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification<'a> {
    /// How grave it is.
    pub severity: Severity,
    /// Seconds since the epoch.
    pub time: f64,
    /// The hypervisor.
    pub host: &'a str,
    /// The VM, where it is about one alone; else empty.
    pub plugin_instance: &'a str,
    /// The event's kind.
    pub type_: &'a str,
    /// The metric.
    pub type_instance: &'a str,
    /// One line, at most 255 bytes.
    pub message: &'a str,
    /// What else is known.
    pub metadata: Vec<(&'a str, &'a str)>,
}

/// The daemon.
pub trait Host: Send + Sync {
    /// Writes a line to the log.
    fn log(&self, level: Level, message: &str);
    /// What time it is by the wall clock, in seconds since the epoch.
    fn now(&self) -> f64;
    /// What time it would be if the wall clock had not been set since the start, in seconds since the epoch.
    fn steady(&self) -> f64;
    /// The name that the daemon goes by.
    fn hostname(&self) -> &str;
    /// Dispatches a gauge of this host.
    fn dispatch_gauge(&self, gauge: &Gauge<'_>);
    /// Dispatches a notification; returns when everybody who listens has taken it.
    fn dispatch_notification(&self, notification: &Notification<'_>);
}

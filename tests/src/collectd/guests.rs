//! What the `virt` plugin would tell of made-up guests.

/// CPU time of VMs of one hypervisor as the counters that the `virt` plugin would tell, with an occasional common jump.
///
/// Each VM has a level of its own with some noise. Everything follows from the seed.
#[derive(Debug, Clone)]
pub struct Guests {
    levels: Vec<f64>,
    used_ns: Vec<u64>,
    random: u64,
}

impl Guests {
    /// So many VMs.
    pub fn new(count: usize, seed: u64) -> Self {
        let mut guests = Self {
            levels: Vec::new(),
            used_ns: vec![1_000_000_000; count],
            random: seed | 1,
        };
        guests.levels = (0..count).map(|_| 20.0 + 30.0 * guests.unit()).collect();
        guests
    }

    /// A number from 0 to 1 (xorshift64*).
    fn unit(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Lets `seconds` pass in which every VM needs `factor` times its level; gives the counters in nanoseconds.
    pub fn pass(&mut self, seconds: f64, factor: f64) -> &[u64] {
        self.pass_each(seconds, |_| factor)
    }

    /// The same with a factor for each VM.
    pub fn pass_each(&mut self, seconds: f64, factor: impl Fn(usize) -> f64) -> &[u64] {
        for vm in 0..self.used_ns.len() {
            let noise = 0.9 + 0.2 * self.unit();
            let percent = (self.levels[vm] * factor(vm) * noise).min(100.0);
            self.used_ns[vm] += (percent / 100.0 * seconds * 1e9) as u64;
        }
        &self.used_ns
    }

    /// Lets the counter of a VM start anew.
    pub fn restart(&mut self, vm: usize) {
        self.used_ns[vm] = 0;
    }
}

/// The command that gives one counter of a VM to the unixsock plugin.
pub fn putval(identifier: &str, interval_sec: f64, time: f64, counter: u64) -> String {
    format!("PUTVAL \"{identifier}\" interval={interval_sec} {time:.3}:{counter}")
}

/// The command that gives a `domain_state` notification to the unixsock plugin, as the `virt` plugin writes it.
pub fn putnotif(host: &str, plugin_instance: &str, state: &str, reason: &str) -> String {
    let instance = if plugin_instance.is_empty() {
        String::new()
    } else {
        format!(" plugin_instance=\"{plugin_instance}\"")
    };
    format!(
        "PUTNOTIF message=\"Domain state: {state}. Reason: {reason}\" severity=warning time={} host=\"{host}\" \
         plugin=virt{instance} type=domain_state",
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
    )
}

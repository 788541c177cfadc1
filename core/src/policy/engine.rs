//! The policy: routes inputs, and brings hosts and suggestions up to date.

use std::collections::BTreeSet;

use super::calendar::QuietHours;
use super::decision::{HealthChange, Outputs, REASON_MAX_BYTES};
use super::host::{Host, Taken};
use super::input::{Finding, Input, InputError, NAME_MAX_BYTES, SuggestionId, What};
use super::options::PolicyOptions;
use super::record::Terms;
use super::state::{Paused, State};
use super::terms::{Health, Origin, Phase, Rule};
use crate::event::State as EventState;
use crate::group::{GroupOptions, Groups, Topology, TopologyError};
use crate::inference::Family;
use crate::options::OptionError;
use crate::text::{duration, shortened};
use crate::units::Time;

/// All hosts with evidence are assessed at most once in this time, in seconds.
const SWEEP_SEC: f64 = 1.0;
/// Old hosts are searched for once in this time, in seconds.
const FORGET_SEC: f64 = 3600.0;

/// Decides when the guests of a host are to be moved away. See the [module](super).
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) options: PolicyOptions,
    pub(super) families: Vec<Family>,
    pub(super) quiet: QuietHours,
    pub(super) terms: Terms,
    pub(super) groups: Groups,
    pub(super) state: State,
    /// Hosts that time alone may change: those with evidence against them, or with a suggestion.
    pub(super) active: BTreeSet<Box<str>>,
}

/// Which suggestions an input may set going.
pub(super) enum Scope {
    None,
    Host(Box<str>),
    All,
}

fn named(what: &'static str, name: &str) -> Result<(), InputError> {
    match name.len() {
        1..=NAME_MAX_BYTES => Ok(()),
        bytes => Err(InputError::Name { what, bytes }),
    }
}

impl Policy {
    /// A policy that knows no host.
    ///
    /// # Errors
    /// Options that contradict each other, or `mode = auto` without what it needs.
    pub fn new(options: PolicyOptions) -> Result<Self, OptionError> {
        options.validate()?;
        let group_options = GroupOptions {
            labels: options.watched().map(Box::from).collect(),
            window_sec: options.group_window_sec,
            hosts_min: options.group_min_hosts,
            share_min: options.group_min_share,
        };
        Ok(Self {
            families: options.families()?,
            quiet: options.quiet()?,
            terms: Terms {
                window_sec: options.window_sec,
                evidence_sec: options.evidence_sec,
            },
            groups: Groups::new(group_options),
            state: State::new(),
            active: BTreeSet::new(),
            options,
        })
    }

    /// The options of this policy.
    pub fn options(&self) -> &PolicyOptions {
        &self.options
    }

    /// Takes one input, and returns what follows from it and from the time that has passed.
    pub fn apply(&mut self, input: &Input) -> Outputs {
        let mut out = Outputs::default();
        self.state.counters.inputs += 1;
        if !input.time.is_plausible() {
            self.state.counters.refused += 1;
            out.refused = Some(InputError::Time("time of the input"));
            return out;
        }
        self.state.now = self.state.now.max(input.time.secs());
        let swept = self.sweep(&mut out);
        let scope = self.take(&input.what, &mut out).unwrap_or_else(|refused| {
            self.state.counters.refused += 1;
            out.refused = Some(refused);
            Scope::None
        });
        match scope {
            _ if swept => self.proceed(&mut out),
            Scope::All => self.proceed(&mut out),
            Scope::Host(host) => {
                let suggestion = self
                    .state
                    .hosts
                    .get(&*host)
                    .and_then(|host| host.suggestion);
                if let Some(id) = suggestion {
                    self.try_evacuation(id, &mut out);
                }
            }
            Scope::None => {}
        }
        out
    }

    fn take(&mut self, what: &What, out: &mut Outputs) -> Result<Scope, InputError> {
        let now = self.state.now;
        match what {
            What::Finding(finding) => return self.take_finding(finding, out),
            What::Risk {
                host, risk_10min, ..
            } => {
                named("name of the host", host)?;
                if let Some(host) = self.state.hosts.get_mut(&**host) {
                    host.risk = Some((risk_10min.get(), now));
                }
                return Ok(Scope::None);
            }
            What::Topology { hosts } => {
                if hosts.len() > self.options.max_hypervisors {
                    return Err(InputError::Full {
                        what: "hosts of the topology",
                        limit: self.options.max_hypervisors,
                    });
                }
                let topology = Topology::new(hosts).map_err(topology_error)?;
                out.events.extend(self.groups.set_topology(topology, now));
            }
            What::Approve { id, by } => {
                named("name of the person", by)?;
                return self.approve(*id, by, out);
            }
            What::Dismiss { id, verdict, by } => {
                named("name of the person", by)?;
                self.dismiss(*id, *verdict, by, out)?;
            }
            What::Pause { by, reason } => {
                named("name of the person", by)?;
                self.state.paused = Some(Paused {
                    time: now,
                    by: by.clone(),
                    reason: shortened(reason, REASON_MAX_BYTES),
                });
            }
            What::Resume { by } => {
                named("name of the person", by)?;
                self.state.paused = None;
            }
            What::Reset { by } => {
                named("name of the person", by)?;
                self.state.brake.reset();
            }
            What::Progress { id, step, text } => self.progress(*id, *step, text, out)?,
            What::Freeze { cause, on } => {
                named("cause", cause)?;
                self.state.freezes.set(cause, *on, now)?;
            }
            What::Tick => {}
        }
        Ok(Scope::All)
    }

    fn take_finding(&mut self, finding: &Finding, out: &mut Outputs) -> Result<Scope, InputError> {
        let (now, skew) = (self.state.now, self.options.clock_skew_sec);
        let times = [
            (finding.since, "beginning of the condition"),
            (finding.reported, "time of the report"),
        ];
        if let Some((_, what)) = times.iter().find(|(time, _)| !time.is_plausible()) {
            return Err(InputError::Time(what));
        }
        let ahead = finding.reported.secs() - now;
        if ahead > skew {
            return Err(InputError::ClockSkew {
                ahead_sec: ahead,
                allowed_sec: skew,
            });
        }
        if finding.host.is_empty() {
            if !matches!(finding.origin, Origin::Fleet | Origin::Silence) {
                return Err(InputError::NoHost);
            }
            let taken = self.state.freezes.take(finding, now, &self.terms);
            self.count(taken);
            return Ok(Scope::All);
        }
        named("name of the host", &finding.host)?;
        if !self.state.hosts.contains_key(&*finding.host) {
            if finding.state == EventState::Cleared {
                self.count(Taken::Known);
                return Ok(Scope::None);
            }
            if self.state.hosts.len() >= self.options.max_hypervisors {
                self.state.counters.hosts_refused += 1;
                return Err(InputError::Full {
                    what: "hosts",
                    limit: self.options.max_hypervisors,
                });
            }
            self.state
                .hosts
                .insert(finding.host.as_str().into(), Host::new(now));
        }
        let host = self
            .state
            .hosts
            .get_mut(&*finding.host)
            .expect("it was added");
        host.prune(now, &self.terms);
        let taken = host.take(finding, now, &self.terms);
        self.count(taken);
        let name: Box<str> = finding.host.as_str().into();
        if self.assess(&name, out) {
            self.active.insert(name.clone());
        }
        Ok(Scope::Host(name))
    }

    fn count(&mut self, taken: Taken) {
        let counters = &mut self.state.counters;
        match taken {
            Taken::New => counters.findings += 1,
            Taken::Known => counters.findings_known += 1,
            Taken::Full => counters.findings_full += 1,
        }
    }

    /// Number of hosts of the cluster: those of the topology, or without one those that had evidence.
    pub(super) fn cluster(&self) -> usize {
        match self.groups.topology().len() {
            0 => self.state.hosts.len(),
            hosts => hosts,
        }
    }

    /// Brings everything up to date that time alone changes, if it is due.
    fn sweep(&mut self, out: &mut Outputs) -> bool {
        let now = self.state.now;
        if now - self.state.swept < SWEEP_SEC {
            return false;
        }
        self.state.swept = now;
        self.state.evacuations.expire(now, &self.options);
        if let Some(id) = self.state.running
            && let Some(started) = self.state.suggestions[&id].started
            && now - started > self.options.evacuation_sec
        {
            let lasted = duration(now - started);
            let reason = format!(
                "its evacuation has not reported its end for {lasted}; it counts as failed"
            );
            self.failed(id, Rule::Timeout, reason, out);
        }
        let mut active = std::mem::take(&mut self.active);
        active.retain(|host| self.assess(host, out));
        self.active = active;
        out.events.extend(self.groups.advance(now));
        if now - self.state.forgot >= FORGET_SEC {
            self.forget(now);
        }
        true
    }

    /// Forgets what is long over.
    fn forget(&mut self, now: f64) {
        self.state.forgot = now;
        let (groups, terms, forget_sec) = (&self.groups, &self.terms, self.options.forget_sec);
        self.state.hosts.retain(|name, host| {
            host.prune(now, terms);
            let is_idle = host.suggestion.is_none() && host.records.is_empty();
            let is_old = now - host.heard > forget_sec && now >= host.quiet_until;
            !(is_idle && is_old && groups.topology().groups_of(name).is_none())
        });
    }

    /// Brings one host up to date; whether time alone may change it again.
    fn assess(&mut self, name: &str, out: &mut Outputs) -> bool {
        let (now, cluster) = (self.state.now, self.cluster());
        let Some(host) = self.state.hosts.get_mut(name) else {
            return false;
        };
        host.prune(now, &self.terms);
        let found = host.assess(&self.families, now, &self.terms);
        let (from, level) = (host.health, host.level);
        (host.health, host.level) = (found.health, found.level);
        if from != found.health {
            let mut reason = self.in_words(found.rule);
            let evidence = self.state.hosts[name].evidence(now, &self.terms);
            if !evidence.is_empty() {
                reason = format!("{reason}: {}", evidence.join("; "));
            }
            out.health.push(HealthChange {
                time: Time::from_secs(now),
                host: name.to_owned(),
                from,
                to: found.health,
                rule: found.rule,
                reason: shortened(&reason, REASON_MAX_BYTES),
            });
        }
        match found.level {
            to if to > level => out.events.extend(self.groups.turn(name, now)),
            0 if level > 0 => self.groups.recover(name),
            _ => {}
        }
        let turned_red = found.health == Health::Red && from != Health::Red;
        if turned_red && self.state.brake.red(name, cluster, now, &self.options) {
            self.trip(name, out);
        }
        match self.state.hosts[name].suggestion {
            Some(id) => self.review(id, out),
            None => self.suggest(name, out),
        }
        found.health != Health::Green || self.state.hosts[name].suggestion.is_some()
    }

    /// Withdraws a suggestion that its evidence no longer supports, or that is too old.
    fn review(&mut self, id: SuggestionId, out: &mut Outputs) {
        let now = self.state.now;
        let suggestion = &self.state.suggestions[&id];
        if suggestion.phase == Phase::Running {
            return;
        }
        let waited = now - suggestion.opened;
        let host = &self.state.hosts[&suggestion.host];
        if host.unspent(&self.families, now, &self.terms).is_none() {
            let reason = "the evidence has ended or no longer suffices".into();
            self.finish(id, Rule::EvidenceEnded, reason, out);
        } else if waited > self.options.suggestion_sec {
            let reason = format!(
                "it has waited for {}, the most that \"suggestion_sec\" allows",
                duration(waited)
            );
            self.use_up(id);
            self.finish(id, Rule::Expired, reason, out);
        }
    }
}

fn topology_error(error: TopologyError) -> InputError {
    InputError::Topology(match error {
        TopologyError::Length(what, bytes, max) => {
            format!("a {what} has {bytes} bytes; it takes 1 to {max}")
        }
        TopologyError::Labels => {
            format!("a host has more than {} labels", crate::group::LABELS_MAX)
        }
    })
}

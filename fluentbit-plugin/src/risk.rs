//! The risk of hosts: what their logs say, and what the metrics of the same host say on the board, become one probability.

use std::collections::HashMap;
use std::path::Path;

use bellwether_agent::board::{
    self, BoardError, Half, Reader, Reading, RiskSource, Writer, name_among,
};
use bellwether_sys::{Lad, Risk, RiskCounters, RiskObservation, RiskStatus};

/// A log without a record for this time, in seconds, says nothing about its host: a dead host logs no failures either.
const SILENT_SEC: f64 = 1_200.0;
/// A record this far ahead of this machine's clock, in seconds, is one of now.
const AHEAD_SEC: f64 = 120.0;
/// With more streams than this, each of them is asked less often than in every turn.
const STREAMS_MANY: usize = 4_096;
/// The number of turns from one to the next then.
const TURNS_MANY: u64 = 10;
/// A problem with the board that has lasted for this many turns is not a matter of who starts first.
const TURNS_PATIENT: u64 = 10;

/// What the risk has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RiskFigures {
    /// Of the detector.
    pub detector: RiskCounters,
    /// The highest probability of all hosts within 10 minutes, in percent.
    pub highest_percent: u64,
    /// Hosts that the other half publishes.
    pub board_hosts: u64,
    /// Records of the board that were damaged.
    pub board_damaged: u64,
}

/// The detector of risk, and the board.
#[derive(Debug)]
pub struct HostRisk {
    risk: Risk,
    board: Option<Meeting>,
    /// The hosts whose logs are known to be alive, from the last time that they were asked.
    hosts: Vec<Logged>,
    figures: RiskFigures,
    turns: u64,
}

/// A host whose log is known to be alive.
#[derive(Debug)]
struct Logged {
    name: String,
    /// What its log says.
    readings: [Reading; 2],
}

/// This half and the other one.
#[derive(Debug)]
struct Meeting {
    own: Writer,
    other: Reader,
    /// Turns in a problem.
    troubled: u64,
    /// It was reported that another one publishes the logs.
    is_second: bool,
    /// The other half was there at some time.
    met: bool,
}

/// What a turn has to tell the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Something that has begun.
    Info(String),
    /// Something that is wrong.
    Warning(String),
}

impl HostRisk {
    /// The risk by this detector; the halves meet in the folder `board`, if one is given.
    pub fn new(risk: Risk, board: Option<&Path>) -> Self {
        let meeting = |folder: &Path| Meeting {
            own: Writer::new(folder, Half::Log),
            other: Reader::new(folder, Half::Metrics),
            troubled: 0,
            is_second: false,
            met: false,
        };
        Self {
            risk,
            board: board.map(meeting),
            hosts: Vec::new(),
            figures: RiskFigures::default(),
            turns: 0,
        }
    }

    /// The detector.
    pub fn detector(&mut self) -> &mut Risk {
        &mut self.risk
    }

    /// What was counted until the last turn.
    pub fn figures(&self) -> RiskFigures {
        self.figures
    }

    /// Takes what the logs say at `now`, by this machine's clock, and what the other half publishes; publishes the former and the risk.
    pub fn turn(&mut self, lad: &mut Lad, now: f64) -> Option<Said> {
        self.turns += 1;
        let is_many = self.hosts.len() > STREAMS_MANY;
        let (mut said, mut trouble) = (None, None);
        let unpublished = |error: BoardError| {
            format!("what the logs say of their hosts is not on the board: {error}")
        };
        if let Some(board) = &mut self.board {
            match board.own.begin() {
                Ok(_) => {}
                // Of several filters on a host, one publishes.
                Err(BoardError::Taken { .. }) if board.is_second => {}
                Err(error @ BoardError::Taken { .. }) => {
                    board.is_second = self.turns >= TURNS_PATIENT;
                    said = board.is_second.then(|| Said::Info(unpublished(error)));
                }
                Err(error) => trouble = Some(unpublished(error)),
            }
        }
        let is_due = !is_many || self.turns.is_multiple_of(TURNS_MANY);
        if is_due {
            self.take_logs(lad, now);
        }
        match self.take_metrics() {
            Ok(found) => said = found.or(said),
            Err(error) => {
                trouble = Some(format!(
                    "what the metrics say of this host is unknown: {error}"
                ));
            }
        }
        // The library refuses only what is no name, which is counted.
        self.risk.advance(now).ok();
        if let Err(error) = self.assess(is_due, now) {
            trouble = trouble.or_else(|| Some(unpublished(error)));
        }
        if let Some(board) = &mut self.board {
            board.troubled = match &trouble {
                Some(_) => board.troubled + 1,
                None => 0,
            };
            if let Some(trouble) = trouble.filter(|_| board.troubled >= TURNS_PATIENT) {
                return Some(Said::Warning(trouble));
            }
        }
        said
    }

    fn take_logs(&mut self, lad: &mut Lad, now: f64) {
        self.hosts.clear();
        for status in lad.statuses(now) {
            let age = now - status.last;
            if !(-AHEAD_SEC..SILENT_SEC).contains(&age) {
                continue;
            }
            let reading = |source, measure| Reading {
                source,
                time: now,
                measure,
                provisional: false,
            };
            let log = reading(RiskSource::Log, f64::from(status.failure_minutes));
            let novelty = status.unseen.map_or(f64::NAN, f64::from);
            let readings = [log, reading(RiskSource::Novelty, novelty)];
            for reading in &readings {
                observe(&mut self.risk, status.stream, reading);
            }
            let name = status.stream.to_owned();
            self.hosts.push(Logged { name, readings });
        }
    }

    fn take_metrics(&mut self) -> Result<Option<Said>, BoardError> {
        let Some(Meeting { other, met, .. }) = &mut self.board else {
            return Ok(None);
        };
        let (risk, hosts) = (&mut self.risk, &self.hosts);
        let board = other.read(|name, readings| {
            let names = hosts.iter().map(|host| &*host.name);
            let host = name_among(names, name).unwrap_or(name);
            for reading in readings {
                observe(risk, host, &reading);
            }
        })?;
        let board = board.unwrap_or_default();
        self.figures.board_hosts = board.hosts as u64;
        self.figures.board_damaged += board.damaged as u64;
        let is_first = board.hosts > 0 && !std::mem::replace(met, *met || board.hosts > 0);
        Ok(is_first.then(|| {
            let hosts = board.hosts;
            Said::Info(format!(
                "the metrics of {hosts} host{} are on the board",
                if hosts == 1 { "" } else { "s" }
            ))
        }))
    }

    /// Counts, and publishes what the logs say and the risk of their hosts, if that `is_due`.
    fn assess(&mut self, is_due: bool, now: f64) -> Result<(), BoardError> {
        self.figures.detector = self.risk.counters().unwrap_or_default();
        let mut highest = 0.0_f64;
        let mut risks = HashMap::new();
        for status in self.risk.statuses() {
            highest = highest.max(status.risk_10min);
            if is_due && self.board.is_some() {
                risks.insert(status.hypervisor, published(&status));
            }
        }
        self.figures.highest_percent = (highest * 100.0).round() as u64;
        let Some(board) = self.board.as_mut().filter(|_| is_due) else {
            return Ok(());
        };
        let mut result = Ok(());
        for Logged { name, readings } in &self.hosts {
            let risk = risks.get(name.as_str()).copied();
            // A host beyond the board's limit, or with a name that it does not take, is known to this half alone.
            let done = board.own.publish_with(name, now, readings, risk);
            result = done.map(drop).and(result);
        }
        result
    }
}

/// The risk of a host as the board has it.
fn published(status: &RiskStatus<'_>) -> board::Risk {
    board::Risk {
        time: status.time,
        risk_10min: status.risk_10min as f32,
        risk_30min: status.risk_30min as f32,
        calibrated: status.calibrated,
        raised: status.raised,
    }
}

/// Passes what a source says about a host to the detector, which counts what it refuses.
fn observe(risk: &mut Risk, hypervisor: &str, reading: &Reading) {
    let observation = RiskObservation {
        hypervisor,
        time: reading.time,
        source: reading.source,
        measure: reading.measure,
        provisional: reading.provisional,
    };
    // An error would be a name with a NUL byte, which neither a stream nor the board has.
    risk.observe(&observation).ok();
}

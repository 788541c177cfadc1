//! What this half of bellwether knows of its hosts, for the half that watches their logs, and what that one says of their risk: a thread
//! of its own publishes the one on the board and reads the other there, since a folder may be on a disk that hangs.

use std::io;
use std::path::Path;
use std::sync::Arc;

use bellwether_agent::board::{
    BoardError, Half, Publishing, Reader, Reading, Risk, RiskSource, Writer, name_among,
};
use bellwether_agent::thread::spawn;
use parking_lot::{Condvar, Mutex};
use rustc_hash::FxHashMap;

/// A problem that has lasted for this many rounds is not a matter of who starts first.
const ROUNDS_PATIENT: u32 = 10;

/// The name of a host and its readings.
type OfHost = (Box<str>, Vec<Reading>);

/// The name of a host and its risk.
pub type RiskOf = (Box<str>, Risk);

/// The latest of what is to be published, and of what was read.
#[derive(Debug, Default)]
struct Slot {
    /// When that is, in seconds since the epoch, and the readings of each host.
    round: Option<(f64, Vec<OfHost>)>,
    /// The risk of each host of a round that the other half knows.
    risks: Option<Vec<RiskOf>>,
    /// A problem to be logged.
    trouble: Option<String>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    /// There is something to publish, or nothing is going to come any more.
    wake: Condvar,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    readings: FxHashMap<Box<str>, Vec<Reading>>,
}

impl Publisher {
    /// Starts a thread that publishes in this folder; where there is none, nothing is published until there is one.
    ///
    /// # Errors
    /// What the operating system says when it gives no thread.
    pub fn start(name: &str, folder: &Path) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let mut writer = Writer::new(folder, Half::Metrics);
        let mut reader = Reader::new(folder, Half::Log);
        spawn(name, move || {
            let mut troubled = 0;
            loop {
                let mut slot = theirs.slot.lock();
                while slot.round.is_none() && !slot.ended {
                    theirs.wake.wait(&mut slot);
                }
                if slot.ended {
                    return;
                }
                let round = slot.round.take();
                drop(slot);
                let Some((now, hosts)) = round else {
                    continue;
                };
                let published = publish(&mut writer, now, &hosts);
                let read = risks(&mut reader, &hosts);
                let trouble = published.err().or(read.as_ref().err().cloned());
                troubled = if trouble.is_some() { troubled + 1 } else { 0 };
                let mut slot = theirs.slot.lock();
                slot.risks = read.ok();
                if troubled >= ROUNDS_PATIENT {
                    slot.trouble = trouble;
                }
            }
        })?;
        Ok(Self {
            shared,
            readings: FxHashMap::default(),
        })
    }

    /// The anomaly of a host's VMs in one metric at `time`, seconds since the epoch: since when one is open, if it is, and whether it is
    /// provisional.
    pub fn vms(&mut self, host: &str, time: f64, since: Option<f64>, provisional: bool) {
        let reading = Reading {
            source: RiskSource::Had,
            time,
            // A negative measure is that of none.
            measure: since.map_or(-1.0, |since| (time - since).max(0.0)),
            provisional: provisional && since.is_some(),
        };
        let readings = self.readings.entry(host.into()).or_default();
        let of_vms = readings.iter_mut().find(|r| r.source == RiskSource::Had);
        match of_vms {
            // The metric whose anomaly is the oldest, and among those without one the newest time.
            Some(other) if (other.measure, other.time) < (reading.measure, time) => {
                *other = reading;
            }
            Some(_) => {}
            None => readings.push(reading),
        }
    }

    /// How unusual the resources of a host were at `time`, seconds since the epoch; NaN where that is unknown.
    pub fn resources(&mut self, host: &str, time: f64, p_value: f64) {
        // The host is watched in any case.
        let readings = self.readings.entry(host.into()).or_default();
        if !p_value.is_nan() {
            readings.push(Reading {
                source: RiskSource::Resource,
                time,
                measure: p_value,
                provisional: false,
            });
        }
    }

    /// Publishes what was gathered since the last call, at `now`, seconds since the epoch. What the thread has not published yet is
    /// replaced by it. Gives a problem that has lasted for some time.
    pub fn end_round(&mut self, now: f64) -> Option<String> {
        let hosts = self.readings.drain().collect();
        let mut slot = self.shared.slot.lock();
        slot.round = Some((now, hosts));
        let trouble = slot.trouble.take();
        drop(slot);
        self.shared.wake.notify_one();
        trouble
    }

    /// What the other half said of the risk of the hosts of a round, fresh or not; `None` if nothing was read since the last call.
    pub fn risks(&self) -> Option<Vec<RiskOf>> {
        self.shared.slot.lock().risks.take()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.slot.lock().ended = true;
        self.shared.wake.notify_one();
    }
}

/// Publishes all of `hosts`.
fn publish(writer: &mut Writer, now: f64, hosts: &[OfHost]) -> Result<(), String> {
    let unpublished = |error: BoardError| format!("the state of hosts is not published: {error}");
    if !writer.begin().map_err(unpublished)? {
        return Ok(());
    }
    let mut full = 0;
    for (host, readings) in hosts.iter().filter(|(_, readings)| !readings.is_empty()) {
        let published = writer.publish(host, now, readings);
        match published.map_err(unpublished)? {
            Publishing::Full => full += 1,
            Publishing::Done | Publishing::Refused => {}
        }
    }
    match full {
        0 => Ok(()),
        full => Err(format!(
            "the state of {full} hosts is not published: the board is full"
        )),
    }
}

/// Reads what the other half says of the risk of `hosts`. What it knows by a name that two of them could have, or two of its own, is of
/// none.
fn risks(reader: &mut Reader, hosts: &[OfHost]) -> Result<Vec<RiskOf>, String> {
    let mut all: Vec<RiskOf> = Vec::new();
    reader
        .risks(|name, risk| all.push((name.into(), risk)))
        .map_err(|error| format!("the risk of hosts is unknown: {error}"))?;
    let mut found = Vec::new();
    for (name, risk) in &all {
        let here = name_among(hosts.iter().map(|(host, _)| &**host), name);
        // The other way round, too: another name there may be nearer to it.
        let there = |host: &str| name_among(all.iter().map(|(name, _)| &**name), host);
        if let Some(host) = here.filter(|host| there(host) == Some(&**name)) {
            found.push((host.into(), *risk));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use super::*;

    /// The name of a host and its readings as (source, time, measure, provisional).
    type Wanted<'a> = (&'a str, &'a [(RiskSource, f64, f64, bool)]);

    /// Waits until the board in this folder has `wanted`.
    fn wait(folder: &Path, wanted: &[Wanted<'_>]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut reader = Reader::new(folder, Half::Metrics);
        loop {
            let mut found = Vec::new();
            let read = reader.read(|host, readings| {
                let of = |r: Reading| (r.source, r.time, r.measure, r.provisional);
                found.push((host.to_owned(), readings.map(of).collect::<Vec<_>>()));
            });
            found.sort_by(|a, b| a.0.cmp(&b.0));
            let same = found.len() == wanted.len()
                && found
                    .iter()
                    .zip(wanted)
                    .all(|(found, wanted)| found.0 == wanted.0 && found.1 == wanted.1);
            if same {
                return;
            }
            assert!(Instant::now() < deadline, "{read:?}: {found:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    use RiskSource::{Had, Resource};

    #[test]
    fn the_age_of_an_open_anomaly_and_the_resources_are_published_of_each_host() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = Publisher::start("test", folder.path()).unwrap();
        board.vms("hv1", 1030.0, None, false);
        board.vms("hv1", 1030.0, Some(1000.0), true);
        board.vms("hv1", 1030.0, None, false);
        board.vms("hv2", 1029.0, None, false);
        board.resources("hv1", 1028.0, 0.25);
        board.resources("hv2", 1028.0, f64::NAN);
        // There is nothing to say of this one yet.
        board.resources("hv3", 1028.0, f64::NAN);
        assert_eq!(board.end_round(1031.0), None);
        let hv1 = [(Had, 1030.0, 30.0, true), (Resource, 1028.0, 0.25, false)];
        wait(
            folder.path(),
            &[("hv1", &hv1), ("hv2", &[(Had, 1029.0, -1.0, false)])],
        );
        // It is over.
        board.vms("hv1", 1090.0, None, false);
        board.vms("hv2", 1090.0, None, false);
        board.end_round(1091.0);
        wait(
            folder.path(),
            &[
                ("hv1", &[(Had, 1090.0, -1.0, false)]),
                ("hv2", &[(Had, 1090.0, -1.0, false)]),
            ],
        );
    }

    #[test]
    fn a_folder_that_is_made_later_is_used_from_then_on_and_without_one_nothing_is_wrong() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("board");
        let mut board = Publisher::start("test", &folder).unwrap();
        board.vms("hv1", 10.0, None, false);
        assert_eq!(board.end_round(10.0), None);
        fs::create_dir(&folder).unwrap();
        board.vms("hv1", 20.0, None, false);
        board.end_round(20.0);
        wait(&folder, &[("hv1", &[(Had, 20.0, -1.0, false)])]);
    }

    fn risk(time: f64, risk_10min: f32) -> Risk {
        Risk {
            time,
            risk_10min,
            risk_30min: risk_10min,
            calibrated: false,
            raised: false,
        }
    }

    /// What the publisher finds of hosts of these names when the log half has published these.
    fn found(hosts: &[&str], published: &[(&str, Option<Risk>)]) -> Vec<(String, Risk)> {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Writer::new(folder.path(), Half::Log);
        assert!(log.begin().unwrap());
        for (name, risk) in published {
            log.publish_with(name, 10.0, &[], *risk).unwrap();
        }
        let mut board = Publisher::start("test", folder.path()).unwrap();
        // Nothing is known of them, and yet they are watched.
        hosts
            .iter()
            .for_each(|host| board.resources(host, 10.0, f64::NAN));
        board.end_round(10.0);
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(risks) = board.risks() {
                assert!(board.risks().is_none(), "what was read is given once");
                let name = |(name, risk): RiskOf| (name.into(), risk);
                return risks.into_iter().map(name).collect();
            }
            assert!(Instant::now() < deadline, "nothing was read");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_risk_of_hosts_that_are_watched_is_read_whatever_their_logs_call_them() {
        let published = [
            ("hv1", Some(risk(9.0, 0.5))),
            ("hv2.example.org", Some(risk(8.0, 0.25))),
            ("hv3", None),
            ("mail7", Some(risk(9.0, 0.75))),
        ];
        let expected = [("hv1", risk(9.0, 0.5)), ("hv2", risk(8.0, 0.25))];
        let expected = expected.map(|(name, risk)| (name.to_owned(), risk));
        assert_eq!(found(&["hv1", "hv2", "hv3"], &published), expected);
    }

    #[test]
    fn the_risk_of_a_name_that_two_hosts_could_have_is_of_neither() {
        let two = [
            ("web.a.org", Some(risk(9.0, 0.5))),
            ("web.b.org", Some(risk(9.0, 0.75))),
        ];
        assert_eq!(found(&["web"], &two), []);
        let one = [("web", Some(risk(9.0, 0.5)))];
        assert_eq!(found(&["web.a.org", "web.b.org"], &one), []);
        // The host of that very name, and no other.
        let both = [
            ("web.a.org", Some(risk(9.0, 0.5))),
            ("web", Some(risk(9.0, 0.75))),
        ];
        assert_eq!(
            found(&["web"], &both),
            [("web".to_owned(), risk(9.0, 0.75))]
        );
    }

    #[test]
    fn without_the_other_half_nothing_is_found_and_nothing_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = Reader::new(folder.path(), Half::Log);
        let hosts: [OfHost; 1] = [("hv1".into(), Vec::new())];
        assert_eq!(risks(&mut reader, &hosts), Ok(Vec::new()));
        fs::write(folder.path().join("log.board"), "no board").unwrap();
        let error = risks(&mut reader, &hosts).unwrap_err();
        assert!(
            error.starts_with("the risk of hosts is unknown: "),
            "{error}"
        );
    }
}

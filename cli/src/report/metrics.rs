//! Recorded metrics, replayed, as a report shows them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, ensure};
use bellwether_core::event::{Direction, Event, EventKind, Severity, State};
use bellwether_core::had::{Algorithm, Detector, HadOptions};
use bellwether_records::series::{Column, Group, Reading};
use bellwether_records::settings::Setting;

use super::events::FLEET;
use bellwether_records::fleet::{Fleet, Watch};
use bellwether_report::change::{Way, best_step, change_points};
use bellwether_report::model::{Host, Incident, Moment, Recording, Vm, Vote, nothing_in, take};

/// The most rows of one file, and the most values of one file, that are kept for drawing.
const ROWS_MAX: usize = 1 << 23;
const VALUES_MAX: usize = 1 << 28;
/// A shift that makes a change point with `rank`, in standard deviations: what noise alone hardly shows.
const RANK_CHANGE: f64 = 3.0;
/// A shift that counts as agreeing with an incident of `rank`, in standard deviations, as its consensus counts.
const RANK_AGREES: f64 = 1.0;
/// A shift that makes a change point with `iad`, which gives two for one threshold's worth.
const IAD_CHANGE: f64 = 2.0;
/// This many consecutive equal samples are frozen.
const FROZEN_MIN: usize = 6;

/// How a file is to be replayed.
pub struct Replay<'a> {
    /// The detector's options.
    pub options: &'a HadOptions,
    /// The settings of the command line.
    pub given: &'a [&'a Setting],
    /// How the file is read.
    pub reading: &'a Reading,
    /// The time of row 0 where the file has none, seconds since the epoch.
    pub start: f64,
}

/// What is gathered while a file is replayed.
struct Gathered {
    recording: Recording,
    /// The number of the file's first row.
    first: u64,
    /// The places of its metric's columns among all.
    places: Vec<usize>,
    /// Each VM's shifts by row.
    shifts: Vec<Vec<f32>>,
    /// The VMs' places among `shifts`.
    columns: HashMap<String, usize>,
    incidents: Vec<Incident>,
    /// How significant the recording's moment is: the severity of an incident that was raised about then, the score, and the number
    /// of VMs that agreed.
    significance: (Option<Severity>, f64, f64),
    /// The last anomaly that was raised: its row, its severity, its channel and how many samples its present has.
    raised: Option<(usize, Severity, String, usize)>,
}

/// What was found of files that are read together.
#[derive(Debug, Default)]
pub struct Found {
    /// A host for each hypervisor and metric.
    pub hosts: Vec<Host>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// The hypervisors, and the files of each.
    pub hypervisors: Vec<(String, String)>,
}

/// Replays files whose hypervisors one detector sees into what a report shows of them.
///
/// # Errors
/// A file that cannot be read, is wrong, or is too long to be drawn.
pub fn replay(groups: &[Group], replay: &Replay<'_>) -> Result<Found> {
    let mut fleet = Fleet::open(groups, replay.options, replay.given, replay.reading)?;
    let recordings = fleet.recordings.iter().zip(&fleet.options);
    let mut shown = Shown {
        hypervisors: recordings
            .map(|(recording, options)| Hypervisor {
                name: recording.hypervisor.clone(),
                place: recording.place.clone(),
                start: recording.start.unwrap_or(replay.start),
                columns: recording.columns().to_vec(),
                options: options.clone(),
                all: Vec::new(),
            })
            .collect(),
        fleet: Vec::new(),
    };
    let mut found = Found {
        hypervisors: fleet.hypervisors(),
        ..Found::default()
    };
    found.warnings = fleet.replay(replay.start, &mut shown)?;
    if !shown.fleet.is_empty() {
        found.hosts.push(Host {
            name: FLEET.to_owned(),
            incidents: shown.fleet,
            ..Host::default()
        });
    }
    for hypervisor in shown.hypervisors {
        hypervisor.finish(&mut found);
    }
    Ok(found)
}

/// What is gathered of hypervisors that one detector sees.
struct Shown {
    hypervisors: Vec<Hypervisor>,
    /// What is about all of them.
    fleet: Vec<Incident>,
}

/// What is gathered of one hypervisor.
struct Hypervisor {
    name: String,
    /// Its files, for messages.
    place: String,
    /// The time of row 0.
    start: f64,
    columns: Vec<Column>,
    options: HadOptions,
    /// Those of one metric each; empty before the first row.
    all: Vec<Gathered>,
}

impl Watch for Shown {
    fn row(
        &mut self,
        at: usize,
        row: u64,
        values: &[Option<f64>],
        detector: &Detector,
    ) -> Result<()> {
        let Hypervisor {
            name,
            place,
            start,
            columns,
            options,
            all,
        } = &mut self.hypervisors[at];
        if all.is_empty() {
            let metrics = options.metrics.iter();
            let gathered =
                metrics.map(|metric| Gathered::new(options, *start, row, metric, columns));
            *all = gathered
                .filter(|gathered| !gathered.places.is_empty())
                .collect();
            // Also a recording of other metrics is drawn, and the warnings say that it is not evaluated.
            if all.is_empty() {
                let metric = columns[0].metric.as_deref().unwrap_or_default();
                all.push(Gathered::new(options, *start, row, metric, columns));
            }
        }
        let rows = row - all[0].first;
        ensure!(
            rows < ROWS_MAX as u64 && rows < (VALUES_MAX / values.len()) as u64,
            "{place}: too long to be drawn: row {row} of {} VMs; at most {ROWS_MAX} rows and {VALUES_MAX} values are",
            values.len()
        );
        for gathered in all {
            gathered.take_values(detector, name, row, values);
        }
        Ok(())
    }

    fn event(
        &mut self,
        at: Option<usize>,
        event: Event,
        _: u64,
        detector: &Detector,
    ) -> Result<()> {
        let Some(Hypervisor { name, all, .. }) = at.map(|at| &mut self.hypervisors[at]) else {
            take(&mut self.fleet, event);
            return Ok(());
        };
        let metric = event.metric();
        let of = all.iter().position(|g| metric == Some(&g.recording.metric));
        if let Some(gathered) = all.get_mut(of.unwrap_or(0)) {
            gathered.take_event(event, detector, name);
        }
        Ok(())
    }

    fn row_ended(&mut self, at: usize, row: u64, detector: &Detector) {
        let Hypervisor { name, all, .. } = &mut self.hypervisors[at];
        for gathered in all {
            gathered.note_moment(detector, name, row);
        }
    }
}

impl Hypervisor {
    /// Adds a host for each metric to what was found.
    fn finish(self, found: &mut Found) {
        let name = self.name;
        if self.all.is_empty() {
            found
                .warnings
                .push(nothing_in(Path::new(&self.place), "a row of samples"));
            found.hosts.push(Host {
                name,
                ..Host::default()
            });
            return;
        }
        let several = self.all.len() > 1;
        for gathered in self.all {
            let metric = gathered.recording.metric.clone();
            let (recording, incidents) = gathered.finish(&self.options);
            found.hosts.push(Host {
                name: if several {
                    format!("{name} {metric}")
                } else {
                    name.clone()
                },
                recording,
                incidents,
                ..Host::default()
            });
        }
    }
}

impl Gathered {
    /// Begins with the first row of a metric. `start`: the time of row 0.
    fn new(options: &HadOptions, start: f64, first: u64, metric: &str, columns: &[Column]) -> Self {
        let default = options.metrics.first().map_or("", String::as_str);
        let is_of = |column: &Column| column.metric.as_deref().unwrap_or(default) == metric;
        let places = (0..columns.len()).filter(|at| is_of(&columns[*at]));
        let places: Vec<usize> = places.collect();
        let names = || places.iter().map(|at| &columns[*at].vm);
        let vm = |name: &String| Vm {
            name: name.clone(),
            ..Vm::default()
        };
        Self {
            recording: Recording {
                metric: metric.to_owned(),
                start: start + first as f64 * options.interval,
                interval: options.interval,
                vms: names().map(vm).collect(),
                ..Recording::default()
            },
            first,
            shifts: vec![Vec::new(); places.len()],
            columns: names().cloned().zip(0..).collect(),
            places,
            incidents: Vec::new(),
            significance: (None, -1.0, 0.0),
            raised: None,
        }
    }

    /// Takes a row that the detector has observed.
    fn take_values(
        &mut self,
        detector: &Detector,
        hypervisor: &str,
        row: u64,
        values: &[Option<f64>],
    ) {
        let at = (row - self.first) as usize;
        let recording = &mut self.recording;
        recording.consensus.resize(at, f32::NAN);
        recording.score.resize(at, f32::NAN);
        recording.voters.resize(at, 0);
        let columns = recording
            .vms
            .iter_mut()
            .zip(&mut self.shifts)
            .zip(&self.places);
        for ((vm, shifts), place) in columns {
            vm.values.resize(at, f32::NAN);
            vm.values
                .push(values[*place].map_or(f32::NAN, |v| v as f32));
            shifts.resize(at + 1, f32::NAN);
        }
        let (consensus, score, voters) = self.status(detector, hypervisor);
        let recording = &mut self.recording;
        recording.consensus.push(consensus as f32);
        recording.score.push(score as f32);
        recording.voters.push(voters);
        for vm in detector.vm_statuses(hypervisor, &self.recording.metric, "") {
            if let (Some(column), Some(shift)) = (self.columns.get(vm.vm), vm.shift) {
                self.shifts[*column][at] = shift as f32;
            }
        }
    }

    /// Consensus, score and voters of the metric after the last row.
    fn status(&self, detector: &Detector, hypervisor: &str) -> (f64, f64, u32) {
        let mut statuses = detector.statuses_of(hypervisor);
        let status = statuses.find(|status| status.metric == self.recording.metric);
        status.map_or((f64::NAN, f64::NAN, 0), |s| {
            (s.consensus.get(), s.score.get(), s.voters)
        })
    }

    /// Takes an event of the metric.
    fn take_event(&mut self, event: Event, detector: &Detector, hypervisor: &str) {
        let at = self.recording.row(event.time.secs());
        let is_raised =
            (event.kind(), event.state) == (EventKind::HypervisorAnomaly, State::Raised);
        let severity = event.severity;
        let channel = event
            .common_change()
            .map_or_else(String::new, |change| change.channel.clone());
        take(&mut self.incidents, event);
        if is_raised && let Some(incident) = self.incidents.last_mut() {
            incident.present = detector.present_samples(&channel);
            incident.votes = vec![Vote::default(); self.shifts.len()];
            for vm in detector.vm_statuses(hypervisor, &self.recording.metric, &channel) {
                if let Some(column) = self.columns.get(vm.vm) {
                    incident.votes[*column].shift = vm.shift;
                }
            }
            self.raised = Some((at, severity, channel, incident.present));
        }
    }

    /// Keeps the row if it is the most significant one so far.
    fn note_moment(&mut self, detector: &Detector, hypervisor: &str, row: u64) {
        let at = (row - self.first) as usize;
        let (consensus, score, voters) = self.status(detector, hypervisor);
        let about = self.raised.as_ref().filter(|r| at <= r.0 + r.3);
        let significance = (about.map(|r| r.1), score, consensus * f64::from(voters));
        if score.is_nan() || voters < 2 || significance <= self.significance {
            return;
        }
        let channel = about.map_or("", |r| r.2.as_str());
        let mut shifts = vec![None; self.shifts.len()];
        for vm in detector.vm_statuses(hypervisor, &self.recording.metric, channel) {
            if let Some(column) = self.columns.get(vm.vm) {
                shifts[*column] = vm.shift;
            }
        }
        self.significance = significance;
        self.recording.moment = Moment {
            row: at,
            score,
            consensus,
            voters,
            shifts,
        };
    }

    fn finish(mut self, options: &HadOptions) -> (Option<Recording>, Vec<Incident>) {
        let detector = Detector::new(options.clone());
        let present = detector.map_or(1, |d| d.present_samples(""));
        let threshold = match options.algorithm {
            Algorithm::Rank => RANK_CHANGE,
            Algorithm::Zscore => options.zscore_threshold,
            Algorithm::Iad => IAD_CHANGE,
        };
        for (vm, shifts) in self.recording.vms.iter_mut().zip(&self.shifts) {
            vm.changes = change_points(&vm.values, shifts, threshold as f32, present);
        }
        for incident in &mut self.incidents {
            let raised = self.recording.row(incident.event.time.secs());
            let direction = incident.direction();
            for (column, vote) in incident.votes.iter_mut().enumerate() {
                let values = &self.recording.vms[column].values;
                let shifts = &self.shifts[column];
                vote.agrees = match (direction, options.algorithm) {
                    (Some(Direction::Frozen), _) => is_frozen(values, raised),
                    (direction, Algorithm::Rank) => vote
                        .shift
                        .is_some_and(|z| agrees(z, direction, RANK_AGREES)),
                    // These count who changed within a window of time, not only now.
                    (_, Algorithm::Zscore | Algorithm::Iad) => {
                        let from = raised.saturating_sub(options.overlap_window_sz - 1);
                        let within = &shifts[from.min(raised)..=raised];
                        within.iter().any(|z| f64::from(z.abs()) > threshold)
                    }
                };
                let (before, after) = (3 * incident.present, incident.present);
                // A slower channel's later shifts are not kept; what is kept is enough to see who comes after.
                let later = shifts.iter().skip(raised + 1).take(after);
                vote.follows = !vote.agrees
                    && direction != Some(Direction::Frozen)
                    && later
                        .map(|z| f64::from(*z))
                        .any(|z| agrees(z, direction, threshold));
                let way = match direction {
                    Some(Direction::Up) => Way::Up,
                    Some(Direction::Down) => Way::Down,
                    _ => Way::Any,
                };
                let from = raised.saturating_sub(before);
                vote.step = best_step(values, from, raised + after + 1, way);
            }
        }
        (Some(self.recording), self.incidents)
    }
}

/// Whether a shift is of at least `least` standard deviations in the direction of an incident.
fn agrees(shift: f64, direction: Option<Direction>, least: f64) -> bool {
    match direction {
        Some(Direction::Up) => shift >= least,
        Some(Direction::Down) => -shift >= least,
        _ => shift.abs() >= least,
    }
}

/// Whether the samples up to `row` repeat one value.
fn is_frozen(values: &[f32], row: usize) -> bool {
    let mut known = values[..=row.min(values.len() - 1)]
        .iter()
        .rev()
        .filter(|v| !v.is_nan());
    let last = known.next();
    last.is_some_and(|last| known.take(FROZEN_MIN).filter(|v| *v == last).count() == FROZEN_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_records::series;
    use bellwether_report::model::Level;
    use std::path::PathBuf;

    /// The hosts that a file gives.
    fn hosts(file: &Path, options: &HadOptions, start: f64) -> Result<Vec<Host>> {
        let reading = Reading::default();
        let settings = Replay {
            options,
            given: &[],
            reading: &reading,
            start,
        };
        let found = series::find(&[file.to_owned()], &reading)?;
        Ok(replay(&found.groups[..1], &settings)?.hosts)
    }

    fn case(name: &str, algorithm: &str) -> Host {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("tests/cases")
            .join(name);
        let mut options = HadOptions::default();
        for (name, value) in [
            ("interval", "300"),
            ("provisional_sec", "0"),
            ("algorithm", algorithm),
        ] {
            options.set(name, value).unwrap();
        }
        hosts(&file, &options, 0.0).unwrap().remove(0)
    }

    #[test]
    fn a_fault_shows_which_vms_changed_when_and_by_how_much() {
        for algorithm in ["rank", "zscore", "iad"] {
            let host = case("fault-up-n05.csv", algorithm);
            assert_eq!(host.level(), Level::Fault, "{algorithm}");
            let incident = host.worst().unwrap();
            let agreeing: Vec<_> = incident.votes.iter().filter(|v| v.agrees).collect();
            assert!(agreeing.len() >= 4, "{algorithm}: {:?}", incident.votes);
            let rows: Vec<_> = agreeing.iter().map(|v| v.step.unwrap().row).collect();
            let raised = host
                .recording
                .as_ref()
                .unwrap()
                .row(incident.event.time.secs());
            assert!(
                rows.iter().all(|row| row.abs_diff(raised) < 100),
                "{algorithm}: {rows:?} of {raised}"
            );
            assert!(agreeing.iter().all(|v| v.step.unwrap().relative() > 0.05));
        }
    }

    #[test]
    fn the_votes_are_as_many_as_the_event_says() {
        let host = case("fault-down-n08.csv.gz", "rank");
        let incident = host.worst().unwrap();
        let event = &incident.event;
        let expected = event.common_change().unwrap().consensus.get()
            * f64::from(event.anomaly().unwrap().voters);
        let agreeing = incident.votes.iter().filter(|v| v.agrees).count();
        assert_eq!(agreeing as f64, expected.round());
        let moment = &host.recording.as_ref().unwrap().moment;
        assert!(moment.score >= event.score.get() && moment.shifts.len() == 8);
    }

    #[test]
    fn a_vm_that_changes_only_after_the_alarm_follows_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hv.csv");
        let mut text = "t,a,b,c,d,e,late,calm\n".to_owned();
        for t in 0..200 {
            let level = |vm: usize| match vm {
                0..5 if t >= 120 => 30,
                5 if t >= 126 => 30,
                _ => 20,
            };
            let values = (0..7).map(|vm| (level(vm) + (t * (vm + 3)) % 5).to_string());
            let values: Vec<String> = values.collect();
            text += &format!("{t},{}\n", values.join(","));
        }
        std::fs::write(&file, text).unwrap();
        let host = hosts(&file, &HadOptions::default(), 0.0).unwrap().remove(0);
        let votes = &host.incidents[0].votes;
        let seen: Vec<_> = votes.iter().map(|v| (v.agrees, v.follows)).collect();
        let agrees = (true, false);
        assert_eq!(seen[..5], [agrees; 5]);
        assert_eq!(seen[5..], [(false, true), (false, false)]);
        assert_eq!(votes[5].step.unwrap().row, 126);
    }

    #[test]
    fn a_busy_guest_has_change_points_of_its_own_and_the_host_is_sound() {
        let host = case("busy-guest-n05.csv", "rank");
        assert_eq!(host.level(), Level::Sound);
        let recording = host.recording.unwrap();
        let changes: Vec<_> = recording.vms.iter().map(|vm| vm.changes.len()).collect();
        assert!(changes.iter().any(|n| *n > 0), "{changes:?}");
        assert_eq!(recording.score.len(), recording.vms[0].values.len());
        assert!(recording.moment.score < 0.5);
    }

    #[test]
    fn rows_that_are_left_out_are_missing_samples() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hv.csv");
        std::fs::write(&file, "t,a,b\n3,1,2\n6,3,\n").unwrap();
        let options = HadOptions::default();
        let host = hosts(&file, &options, 1e9).unwrap().remove(0);
        let recording = host.recording.unwrap();
        assert_eq!(recording.start, 1e9 + 30.0);
        assert_eq!(recording.rows(), 4);
        let known: Vec<_> = recording.vms[0].values.iter().map(|v| v.is_nan()).collect();
        assert_eq!(known, [false, true, true, false]);
        assert!(recording.vms[1].values[3].is_nan());
        std::fs::write(&file, "t,a,b\n0,1,2\n99999999999,3,\n").unwrap();
        let error = hosts(&file, &options, 1e9).unwrap_err().to_string();
        assert!(error.contains("too long to be drawn"), "{error}");
    }

    #[test]
    fn each_metric_of_a_hypervisor_is_a_host_of_the_page_with_its_own_incidents() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hv.csv");
        let mut text =
            "time,a,b,c,d,e,a:disk_ops,b:disk_ops,c:disk_ops,d:disk_ops,e:disk_ops\n".to_owned();
        for t in 0..300 {
            let noise = |vm: usize| (t * (vm + 3)) % 5 + (t * t + vm) % 3;
            let cpu = (0..5).map(|vm| (20 + noise(vm)).to_string());
            let level = if t < 200 { 100 } else { 300 };
            let disk = (0..5).map(|vm| (level + 3 * noise(vm + 1)).to_string());
            let values: Vec<String> = cpu.chain(disk).collect();
            text += &format!("{},{}\n", 1_772_496_000 + 300 * t, values.join(","));
        }
        std::fs::write(&file, text).unwrap();
        let hosts = hosts(&file, &HadOptions::default(), 0.0).unwrap();
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["hv cpu", "hv disk_ops"]);
        assert!(hosts[0].incidents.is_empty(), "{:?}", hosts[0].incidents);
        assert_eq!(hosts[1].incidents[0].event.metric(), Some("disk_ops"));
        assert_eq!(hosts[1].incidents[0].votes.len(), 5);
        let recording = hosts[1].recording.as_ref().unwrap();
        assert_eq!(
            (recording.start, recording.interval),
            (1_772_496_000.0, 300.0)
        );
    }
}

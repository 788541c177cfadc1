//! Recorded hypervisors that one detector sees.

use std::collections::{BTreeSet, HashMap};

use crate::feed::{Rows, options_for};
use crate::series::{self, Group, Reading, Recording};
use crate::settings::Setting;
use anyhow::Result;
use bellwether_core::event::Event;
use bellwether_core::had::{Counters, Detector, HadOptions};
use bellwether_core::maintenance::{self, Window};
use bellwether_core::units::Time;

use crate::account::{Account, counted};

/// The most files of a fleet, all of which are open at a time: few systems let a process open fewer.
const FILES_MAX: usize = 512;

/// What takes the replay of a fleet.
pub trait Watch {
    /// Takes a row of the hypervisor at `at`, which `detector` has observed.
    ///
    /// # Errors
    /// A recording that cannot be taken.
    fn row(
        &mut self,
        at: usize,
        row: u64,
        values: &[Option<f64>],
        detector: &Detector,
    ) -> Result<()>;

    /// Takes an event of the hypervisor at `at`, or of all of them, whose incident began at the row `index`.
    ///
    /// # Errors
    /// What cannot be written.
    fn event(
        &mut self,
        at: Option<usize>,
        event: Event,
        index: u64,
        detector: &Detector,
    ) -> Result<()>;

    /// The events of the row are all taken.
    fn row_ended(&mut self, _at: usize, _row: u64, _detector: &Detector) {}
}

/// The groups of files whose hypervisors one detector sees: those of a folder, or a group by itself; and warnings for the user.
pub fn fleets(groups: &[Group]) -> (Vec<&[Group]>, Vec<String>) {
    let is_one = |one: &Group, other: &Group| one.fleet.is_some() && one.fleet == other.fleet;
    let (mut fleets, mut warnings) = (Vec::new(), Vec::new());
    for all in groups.chunk_by(is_one) {
        let files: usize = all.iter().map(|group| group.members.len()).sum();
        match &all[0].fleet {
            Some(folder) if all.len() > 1 && files > FILES_MAX => {
                warnings.push(format!(
                    "{}: it has {files} files; of more than {FILES_MAX}, each hypervisor is replayed by itself, and not as one of a \
                     fleet",
                    folder.display()
                ));
                fleets.extend(all.chunks(1));
            }
            _ => fleets.push(all),
        }
    }
    (fleets, warnings)
}

/// The recordings of groups that one detector sees.
pub struct Fleet {
    /// The recordings.
    pub recordings: Vec<Recording>,
    /// The options of each.
    pub options: Vec<HadOptions>,
    /// Their hypervisors.
    pub names: Vec<String>,
    /// The files, for messages.
    place: String,
    /// Those of the detector.
    all: HadOptions,
    /// When which of them are in maintenance.
    masks: Vec<Window>,
}

impl Fleet {
    /// Opens the recordings of `groups`; `given` are the settings of a command line.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(
        groups: &[Group],
        options: &HadOptions,
        given: &[&Setting],
        reading: &Reading,
    ) -> Result<Self> {
        let mut recordings = Vec::new();
        for group in groups {
            recordings.extend(series::open(group, reading)?);
        }
        let own = recordings.iter().map(|r| options_for(options, r, given));
        let own: Vec<HadOptions> = own.collect();
        let folder = groups.first().and_then(|group| group.fleet.as_ref());
        let place = match (groups, folder) {
            ([group], _) => group.place(),
            (_, Some(folder)) => folder.display().to_string(),
            (_, None) => String::new(),
        };
        Ok(Self {
            all: common(options, &own, given),
            names: recordings.iter().map(|r| r.hypervisor.clone()).collect(),
            options: own,
            recordings,
            place,
            masks: Vec::new(),
        })
    }

    /// Learns and reports nothing within those of these windows that are of its hypervisors.
    pub fn mask(&mut self, windows: &[Window]) {
        let is_own = |window: &&Window| {
            let mut names = self.names.iter();
            names.any(|name| maintenance::matches(&window.hypervisor, name))
        };
        self.masks = windows.iter().filter(is_own).cloned().collect();
    }

    /// The hypervisors, and the files of each.
    pub fn hypervisors(&self) -> Vec<(String, String)> {
        let all = self.recordings.iter();
        all.map(|r| (r.hypervisor.clone(), r.place.clone()))
            .collect()
    }

    /// Replays all rows in the order of their times; rows without times begin at `start`, seconds since the epoch. Returns warnings
    /// for the user.
    ///
    /// # Errors
    /// What is wrong with a recording, or what `watch` says.
    pub fn replay(&mut self, start: f64, watch: &mut impl Watch) -> Result<Vec<String>> {
        let mut detector = Detector::new(self.all.clone())?;
        for window in &self.masks {
            detector.mask_hypervisor(&window.hypervisor, window.from, window.until)?;
        }
        let (mut all, mut accounts, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        // The time of the next row of each, in milliseconds.
        let mut next = BTreeSet::new();
        let millis = |rows: &Rows<'_>, row: u64| (rows.time(row) * 1000.0).round() as i64;
        let recordings = self.recordings.iter_mut().zip(&self.options);
        for (at, (recording, options)) in recordings.enumerate() {
            let rows = Rows::new(options, &self.names[at], recording.columns().to_vec())?;
            let rows = rows.starting_at(recording.start.unwrap_or(start));
            accounts.push(Account::new(recording, options));
            let mut values = Vec::new();
            let row = recording.next_row(&mut values)?;
            if let Some(row) = row {
                next.insert((millis(&rows, row), at));
            }
            heads.push((row, values));
            all.push(rows);
        }
        let places: HashMap<&str, usize> = self.names.iter().map(String::as_str).zip(0..).collect();
        let pass = |detector: &mut Detector, all: &[Rows<'_>], watch: &mut _| -> Result<()> {
            while let Some(event) = detector.next_event() {
                let at = places.get(event.hypervisor()).copied();
                let index = all[at.unwrap_or(0)].index(&event);
                Watch::event(watch, at, event, index, detector)?;
            }
            Ok(())
        };
        while let Some((_, at)) = next.pop_first() {
            let (head, values) = &mut heads[at];
            let Some(row) = head.take() else { continue };
            all[at].observe(&mut detector, row, values);
            let over = Time::from_secs(all[at].time(row + 1));
            match &all[..] {
                [_] => detector.advance(over),
                _ => detector.advance_hypervisor(&self.names[at], over),
            }
            accounts[at].row(row, values, &mut detector);
            watch.row(at, row, values, &detector)?;
            pass(&mut detector, &all, watch)?;
            watch.row_ended(at, row, &detector);
            *head = self.recordings[at].next_row(values)?;
            if let Some(row) = *head {
                next.insert((millis(&all[at], row), at));
            }
        }
        detector.finish();
        pass(&mut detector, &all, watch)?;
        let mut warnings = Vec::new();
        for ((recording, account), rows) in self.recordings.iter().zip(&accounts).zip(&all) {
            warnings.extend(account.warnings(recording, rows.counters()));
        }
        // Of these, only the number of all is known.
        let evicted = Counters {
            vms_evicted: detector.counters().vms_evicted,
            ..Counters::default()
        };
        let evicted = counted(0, &evicted);
        warnings.extend(evicted.map(|warning| format!("{}: {warning}", self.place)));
        Ok(warnings)
    }
}

/// The options of a detector that sees recordings which would have the options `own`.
fn common(options: &HadOptions, own: &[HadOptions], given: &[&Setting]) -> HadOptions {
    let mut all = own.first().unwrap_or(options).clone();
    for one in own.iter().skip(1) {
        all.interval = all.interval.min(one.interval);
        let new = one
            .metrics
            .iter()
            .filter(|metric| !all.metrics.contains(metric));
        let new: Vec<String> = new.cloned().collect();
        all.metrics.extend(new);
    }
    // Each may take what one by itself may.
    if !given.iter().any(|setting| setting.name == "max_memory_mib") {
        all.max_memory_mib = all.max_memory_mib.saturating_mul(own.len().max(1));
    }
    all
}

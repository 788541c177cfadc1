//! Seeds: the templates of a fleet's benign logs, learned once and shared by its hosts.
//!
//! Records that the lexicon flags, also below the threshold of a failure, are left out and counted by family: what is learned as
//! benign must hold no failure. The file is a snapshot of its own kind (tag `seed`). Version 1: options that shape the templates,
//! the parser, the hosts of each template, all hosts, the number of records, the records left out by family, the checksum of the
//! data.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::{FxHashMap, FxHashSet};

use super::classifier::{self, SharedInference};
use super::options::LadOptions;
use super::record::Record;
use crate::drain::{DrainOptions, Miner, Restore, SHAPE, Scratch};
use crate::inference::Family;
use crate::memory::table;
use crate::options::OptionError;
use crate::snapshot::{
    self, LazySeq, Reader, Saved, Shape, SnapshotError, Tag, Unusable, write_value,
};

/// Maximum number of templates; at the limit, a new one replaces the least recently used one.
pub const TEMPLATES_MAX: usize = 65_536;
/// Maximum memory of the templates in bytes.
const TEMPLATES_MAX_BYTES: usize = 64 << 20;
/// Maximum size of a seeds file in bytes.
const FILE_MAX_BYTES: u64 = 256 << 20;
/// Number of hosts up to which those of one template are counted.
const TEMPLATE_HOSTS_MAX: usize = 16;
/// Number of hosts up to which all are counted.
const HOSTS_MAX: usize = 65_536;

/// A benign template of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeedTemplate<'a> {
    /// The template.
    pub text: &'a str,
    /// Number of its records.
    pub records: u64,
    /// Number of hosts that it was seen on, counted up to 16.
    pub hosts: usize,
}

/// The benign templates of a fleet.
#[derive(Debug)]
pub struct Seeds {
    miner: Miner,
    scratch: Scratch,
    /// Hosts of each template, by the checksums of their names.
    template_hosts: FxHashMap<u64, Vec<u32>>,
    hosts: FxHashSet<u32>,
    records: u64,
    left_out: BTreeMap<Family, u64>,
    fingerprint: u32,
}

impl Seeds {
    /// Seeds without a template yet, for detectors with the parser's options of `options`.
    ///
    /// # Errors
    /// Invalid or contradictory options.
    pub fn new(options: &LadOptions) -> Result<Self, OptionError> {
        let drain = DrainOptions {
            max_clusters: TEMPLATES_MAX,
            max_bytes: TEMPLATES_MAX_BYTES,
            ..options.drain.clone()
        };
        Ok(Self::of(Miner::new(drain)?))
    }

    fn of(miner: Miner) -> Self {
        Self {
            miner,
            scratch: Scratch::default(),
            template_hosts: FxHashMap::default(),
            hosts: FxHashSet::default(),
            records: 0,
            left_out: BTreeMap::default(),
            fingerprint: 0,
        }
    }

    /// Reads a seeds file. It is not renamed or changed if it cannot be used.
    ///
    /// # Errors
    /// There is no such file; it is no regular file, too large, corrupt, or of an unsupported version; or it was made with other
    /// options of the parser.
    pub fn read(options: &LadOptions, path: &Path) -> Result<Self, OptionError> {
        let blank = Self::new(options)?;
        snapshot::read(&blank, path, FILE_MAX_BYTES).map_err(|why| OptionError::Value {
            name: "seeds",
            value: path.display().to_string(),
            allowed: format!("the path of a file by \"bellwether learn logs\", but {why}"),
            unit: "",
        })
    }

    /// Writes the seeds file at `path`, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        snapshot::save(self, path)
    }

    /// Learns the template of a record, unless `inference` finds anything in it. Returns the family of a record that is left out.
    pub fn learn(&mut self, inference: &SharedInference, record: &Record<'_>) -> Option<Family> {
        let host = crc32fast::hash(record.stream.as_bytes());
        let mut data = crc32fast::Hasher::new_with_initial(self.fingerprint);
        for part in [record.stream, "\0", record.text, "\0"] {
            data.update(part.as_bytes());
        }
        self.fingerprint = data.finalize();
        self.records += 1;
        if self.hosts.len() < HOSTS_MAX {
            self.hosts.insert(host);
        }
        if let Some(finding) = classifier::read(inference, record).finding {
            *self.left_out.entry(finding.family).or_default() += 1;
            return Some(finding.family);
        }
        self.miner.mask_into(&mut self.scratch, record.text);
        let id = self.miner.add_masked(&mut self.scratch).cluster;
        let hosts = self.template_hosts.entry(id).or_default();
        if hosts.len() < TEMPLATE_HOSTS_MAX && !hosts.contains(&host) {
            hosts.push(host);
        }
        if self.template_hosts.len() > 2 * TEMPLATES_MAX {
            self.forget_evicted();
        }
        None
    }

    /// Whether a line would join one of the templates. Learns nothing from it.
    pub fn has(&mut self, line: &str) -> bool {
        self.miner.mask_into(&mut self.scratch, line);
        self.miner.joins(&mut self.scratch).is_some()
    }

    /// The same without what a detector does not need.
    fn templates_only(self) -> Self {
        Self::of(self.miner)
    }

    fn forget_evicted(&mut self) {
        let miner = &self.miner;
        self.template_hosts
            .retain(|&id, _| miner.template(id).is_some());
    }

    /// The templates, least recently used first.
    pub fn templates(&self) -> impl Iterator<Item = SeedTemplate<'_>> + '_ {
        self.miner.clusters().map(|cluster| SeedTemplate {
            text: cluster.template,
            records: cluster.size,
            hosts: self.template_hosts.get(&cluster.id).map_or(0, Vec::len),
        })
    }

    /// Number of records, with those that were left out.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Number of hosts, counted up to 65,536.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// Number of records that were left out, by family.
    pub fn left_out(&self) -> impl Iterator<Item = (Family, u64)> + '_ {
        self.left_out
            .iter()
            .map(|(&family, &count)| (family, count))
    }

    /// Number of templates evicted for others.
    pub fn evicted(&self) -> u64 {
        self.miner.statistics().evicted
    }

    /// CRC-32 of all records in the order in which they were learned: names of hosts and texts.
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        let lists = self.template_hosts.values();
        self.miner.bytes()
            + table(self.template_hosts.capacity(), size_of::<(u64, Vec<u32>)>())
            + lists.map(crate::memory::vec).sum::<usize>()
            + table(self.hosts.capacity(), size_of::<u32>())
    }

    fn shape(&self) -> Shape {
        let shape = snapshot::shape(self.miner.options(), &SHAPE);
        let named = |(name, value)| (format!("drain_{name}"), value);
        shape.into_iter().map(named).collect()
    }
}

/// The templates of a fleet, as all streams of a detector share them.
#[derive(Debug, Clone)]
pub(super) struct SharedSeeds {
    /// A look-up changes nothing but its own buffers.
    seeds: Arc<Mutex<Seeds>>,
    bytes: usize,
}

impl SharedSeeds {
    fn of(seeds: Seeds) -> Self {
        Self {
            bytes: seeds.bytes(),
            seeds: Arc::new(Mutex::new(seeds)),
        }
    }

    /// Whether the masked line in `scratch` would join one of the templates.
    pub(super) fn has(&self, scratch: &mut Scratch) -> bool {
        let mut seeds = self.seeds.lock().unwrap_or_else(PoisonError::into_inner);
        seeds.miner.joins(scratch).is_some()
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The seeds that `options` name, if any.
///
/// # Errors
/// As of [`Seeds::read`]; or they take more than half of `max_memory_mib`.
pub(super) fn shared(options: &LadOptions) -> Result<Option<SharedSeeds>, OptionError> {
    if options.seeds.is_empty() {
        return Ok(None);
    }
    let seeds = Seeds::read(options, Path::new(&options.seeds))?;
    let shared = SharedSeeds::of(seeds.templates_only());
    let most = (options.max_memory_mib << 20) / 2;
    if shared.bytes > most {
        return Err(OptionError::Conflict {
            name: "seeds",
            message: format!(
                "the templates of {} take {} bytes; it takes at most half of \"max_memory_mib\" ({most} bytes)",
                options.seeds, shared.bytes
            ),
        });
    }
    Ok(Some(shared))
}

impl Saved for Seeds {
    const TAG: Tag = *b"seed";
    const VERSION: u32 = 1;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.shape())?;
        write_value(out, &self.miner.saved())?;
        let mut ids: Vec<u64> = self.miner.clusters().map(|cluster| cluster.id).collect();
        ids.sort_unstable();
        let hosts_of = |&id: &u64| (id, self.template_hosts.get(&id).map_or(&[][..], |v| v));
        write_value(out, &LazySeq(|| ids.iter().map(hosts_of)))?;
        let mut hosts: Vec<u32> = self.hosts.iter().copied().collect();
        hosts.sort_unstable();
        write_value(out, &hosts)?;
        write_value(out, &self.records)?;
        write_value(out, &self.left_out)?;
        write_value(out, &self.fingerprint)
    }

    fn read_state(&self, _: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        snapshot::same_shape(&self.shape(), &input.next("the options")?)?;
        let mut seeds = Self::of(self.miner.blank());
        let restored = input.next_into("the templates", Restore(&mut seeds.miner))?;
        restored.map_err(|error| Unusable::Impossible(error.to_string()))?;
        let template_hosts: Vec<(u64, Vec<u32>)> = input.next("the hosts of the templates")?;
        if template_hosts
            .iter()
            .any(|(_, hosts)| hosts.len() > TEMPLATE_HOSTS_MAX)
        {
            return Err(Unusable::Impossible("a template has too many hosts".into()));
        }
        seeds.template_hosts = template_hosts.into_iter().collect();
        let hosts: Vec<u32> = input.next("the hosts")?;
        seeds.hosts = hosts.into_iter().collect();
        seeds.records = input.next("the number of records")?;
        seeds.left_out = input.next("the records left out")?;
        seeds.fingerprint = input.next("the checksum of the data")?;
        seeds.forget_evicted();
        Ok(seeds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lad::Source;
    use crate::units::Time;

    fn record<'a>(stream: &'a str, text: &'a str) -> Record<'a> {
        Record {
            stream,
            time: Time::from_secs(1_700_000_000.0),
            text,
            priority: None,
            source: Source {
                program: b"kernel",
                ..Source::default()
            },
        }
    }

    fn learned(records: &[(&str, &str)]) -> Seeds {
        let options = LadOptions::default();
        let inference = classifier::inference(&options).unwrap();
        let mut seeds = Seeds::new(&options).unwrap();
        for (stream, text) in records {
            seeds.learn(&inference, &record(stream, text));
        }
        seeds
    }

    const BENIGN: [(&str, &str); 3] = [
        ("kvm1", "bridge br0 entered forwarding state"),
        ("kvm2", "bridge br1 entered forwarding state"),
        ("kvm1", "clock synchronised to ntp"),
    ];

    #[test]
    fn a_line_of_a_learned_template_is_part_of_the_fleet_and_another_is_not() {
        let mut seeds = learned(&BENIGN);
        assert!(seeds.has("bridge br7 entered forwarding state"));
        assert!(!seeds.has("quantum flux inverted beyond all measure"));
        assert!(
            !seeds.has("quantum flux inverted beyond all measure"),
            "a look-up learns nothing"
        );
    }

    #[test]
    fn what_the_lexicon_flags_is_left_out_and_counted_by_family() {
        let failure = "blk_update_request: I/O error, dev sda, sector 2048";
        let mut seeds = learned(&[BENIGN[0], ("kvm1", failure)]);
        assert!(!seeds.has(failure));
        assert_eq!(seeds.left_out().collect::<Vec<_>>(), [(Family::Storage, 1)]);
        assert_eq!((seeds.records(), seeds.templates().count()), (2, 1));
    }

    #[test]
    fn a_saved_file_has_all_that_was_learned_and_can_be_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seeds");
        let whole = learned(&BENIGN);
        learned(&BENIGN[..2]).save(&path).unwrap();
        let options = LadOptions::default();
        let mut grown = Seeds::read(&options, &path).unwrap();
        let inference = classifier::inference(&options).unwrap();
        grown.learn(&inference, &record(BENIGN[2].0, BENIGN[2].1));
        let list = |seeds: &Seeds| -> Vec<(String, u64, usize)> {
            let rows = seeds.templates();
            rows.map(|t| (t.text.to_owned(), t.records, t.hosts))
                .collect()
        };
        assert_eq!(list(&grown), list(&whole));
        assert_eq!(
            list(&grown)[0],
            ("bridge <:*:> entered forwarding state".into(), 2, 2)
        );
        assert_eq!(
            (grown.hosts(), grown.fingerprint()),
            (2, whole.fingerprint())
        );
    }

    #[test]
    fn a_file_that_cannot_be_used_is_named_with_the_reason_and_left_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seeds");
        let says = |options: &LadOptions| Seeds::read(options, &path).unwrap_err().to_string();
        let default = LadOptions::default();
        assert!(says(&default).contains("no such file"));
        learned(&BENIGN).save(&path).unwrap();
        let mut other = LadOptions::default();
        other.set("drain_sim_th", "0.7").unwrap();
        let error = says(&other);
        assert!(
            error.contains("drain_sim_th = 0.4, which is 0.7 now"),
            "{error}"
        );
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn[40] ^= 1;
        std::fs::write(&path, &torn).unwrap();
        assert!(says(&default).contains("checksum"));
        assert_eq!(std::fs::read(&path).unwrap(), torn);
        let mut newer = whole;
        newer[16] = 9;
        std::fs::write(&path, newer).unwrap();
        assert!(says(&default).contains("version 9"));
        std::fs::write(&path, "templates, by hand").unwrap();
        assert!(says(&default).contains("not a snapshot"));
        let file = std::fs::File::create(&path).unwrap();
        file.set_len(FILE_MAX_BYTES + 1).unwrap();
        assert!(says(&default).contains("more than the"));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(says(&default).contains("not a regular file"));
        std::fs::remove_dir(&path).unwrap();
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        mknodat(CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(says(&default).contains("not a regular file"));
    }
}

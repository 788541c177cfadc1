//! Both halves of bellwether on one host, each in its real agent: collectd with the metrics of the guests, Fluent Bit with the log. They
//! meet on a board in a folder of the test.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use bellwether_agent::board::{Half, Reader, Risk};
use bellwether_core::risk::{Detector, RiskOptions};
use bellwether_tests::collectd::{Collectd, Guests, Notification, Setup, putval};
use bellwether_tests::fluentbit::{self, FluentBit};
use bellwether_tests::skipped;
use bellwether_tests::testbed::capabilities::CollectdInstallation;
use serde_json::Value;

/// How long anything may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(150);

/// What the metrics call the host; its log calls it node7.
const HOST: &str = "node7.example.org";

/// Seconds between two samples of a guest.
const INTERVAL: f64 = 10.0;

/// Intervals before the fault, and those of the fault that have passed when it is first fed: enough for an anomaly, which is provisional
/// because the host is known for less than a day.
const ORDINARY: usize = 430;
const FAULT: usize = 15;

const FAILING: &str = "blk_update_request: I/O error, dev sda, sector 7814037\n";

/// Tables of this test: those of the library may change with the data that they are made of.
const TABLES: &str = include_str!("../../core/tests/risk/tables.json");

/// Hosts of this site fail so often that a provisional anomaly and a failure in the log are enough together, and neither is alone.
const SITE: &str = "risk_failures_per_host_year 100";

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_secs_f64()
}

/// Lines of a log without a failure, numbered.
fn ordinary(numbers: std::ops::Range<usize>) -> String {
    numbers.fold(String::new(), |mut text, n| {
        writeln!(text, "{n}: session opened for user root by (uid={})", n % 7)
            .expect("writing to a string cannot fail");
        text
    })
}

/// A host with both agents, of which either may not run.
struct Halves {
    /// With the board, and what collectd keeps.
    folder: tempfile::TempDir,
    guests: Guests,
    /// The time of the next samples of the guests.
    next: f64,
    /// By how much the guests need more than usual.
    factor: f64,
    collectd: Option<Collectd>,
    collectd_runs: bool,
    fluent_bit: FluentBit,
}

impl Halves {
    /// A host on which nothing runs yet; `None` where one of the agents is not installed, which is said.
    fn prepare() -> Result<Option<Self>> {
        if let Err(reason) = CollectdInstallation::find() {
            skipped(reason);
            return Ok(None);
        }
        let program = match fluentbit::find() {
            Ok(program) => program,
            Err(reason) => {
                skipped(reason);
                return Ok(None);
            }
        };
        let folder = tempfile::Builder::new()
            .prefix("bellwether-halves-")
            .tempdir()?;
        fs::create_dir(folder.path().join("board"))?;
        let fluent_bit = FluentBit::prepare_program(program)?;
        fluent_bit.write("in.log", &ordinary(0..50))?;
        fluent_bit.write("tables.json", TABLES)?;
        Ok(Some(Self {
            folder,
            guests: Guests::new(8, 7),
            next: now() - INTERVAL * (ORDINARY + FAULT) as f64,
            factor: 1.0,
            collectd: None,
            collectd_runs: false,
            fluent_bit,
        }))
    }

    fn board(&self) -> String {
        self.folder.path().join("board").display().to_string()
    }

    fn collectd(&self) -> &Collectd {
        self.collectd.as_ref().expect("it was started")
    }

    /// Starts collectd, and has its guests become unusual after a while without a fault.
    fn start_collectd(&mut self) -> Result<()> {
        let csv = self.folder.path().join("csv");
        let state = self.folder.path().join("collectd.state");
        let bellwether = format!(
            "Board \"{}\"\nStateFile \"{}\"",
            self.board(),
            state.display()
        );
        self.collectd = Some(Collectd::start(&Setup {
            plugins: vec!["csv"],
            more: format!(
                "<Plugin \"csv\">\n  DataDir \"{}\"\n</Plugin>\n",
                csv.display()
            ),
            ..Setup::with(&bellwether)
        })?);
        self.collectd_runs = true;
        self.feed_until(self.next + INTERVAL * (ORDINARY as f64 - 0.5))?;
        self.factor = 2.0;
        self.wait("a provisional anomaly", |h| {
            Ok(!h.anomalies("raised").is_empty())
        })
    }

    fn start_fluent_bit(&mut self, options: &str) -> Result<()> {
        let configuration = format!(
            "[SERVICE]\n    flush 0.2\n    grace 1\n\
             [INPUT]\n    name tail\n    path @FOLDER@/in.log\n    tag host.log\n    read_from_head on\n    refresh_interval 1\n    \
             db @FOLDER@/tail.db\n\
             [INPUT]\n    name bellwether\n    tag bellwether.events\n\
             [FILTER]\n    name bellwether\n    match *\n    host node7\n    board {}\n    risk_tables @FOLDER@/tables.json\n    \
             state_file @FOLDER@/state\n    {SITE}\n    {options}\n\
             [OUTPUT]\n    name file\n    match bellwether.events\n    path @FOLDER@\n    file events\n    format plain\n",
            self.board()
        );
        self.fluent_bit.start("fluent-bit.conf", &configuration)?;
        self.wait("what the log says", |h| Ok(h.risk().is_some()))
    }

    /// Gives collectd the samples of the guests up to `time`.
    fn feed_until(&mut self, time: f64) -> Result<()> {
        let mut commands = Vec::new();
        while self.next <= time {
            for (vm, counter) in self.guests.pass(INTERVAL, self.factor).iter().enumerate() {
                let name = format!("{HOST}/virt-vm{vm}/virt_cpu_total");
                commands.push(putval(&name, INTERVAL, self.next, *counter));
            }
            self.next += INTERVAL;
        }
        match commands.is_empty() {
            true => Ok(()),
            false => self.collectd().send(commands),
        }
    }

    /// Waits for something while time passes for the guests.
    fn wait(&mut self, what: &str, mut done: impl FnMut(&Self) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.collectd_runs {
                self.feed_until(now())?;
            }
            if done(self)? {
                return Ok(());
            }
            if Instant::now() > deadline {
                let (log, events) = match &self.collectd {
                    Some(collectd) => (collectd.log(), collectd.events()),
                    None => Default::default(),
                };
                bail!(
                    "no {what} within {PATIENCE:?}; risk on the board: {:?}; Fluent Bit:\n{}\n{:#?}\ncollectd:\n{log}\n{events:#?}",
                    self.risk(),
                    self.fluent_bit.log(),
                    self.fluent_bit.records("events"),
                );
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The events of Fluent Bit of a kind and state.
    fn events(&self, kind: &str, state: &str) -> Vec<Value> {
        let mut events = self.fluent_bit.records("events");
        events.retain(|event| event["event"] == kind && event["state"] == state);
        events
    }

    fn risks(&self, state: &str) -> Vec<Value> {
        self.events("failure_risk", state)
    }

    /// What collectd says of an anomaly of the guests.
    fn anomalies(&self, state: &str) -> Vec<Notification> {
        let mut events = self.collectd().events();
        events.retain(|e| e.get("Type") == "hypervisor_anomaly" && e.get("state") == state);
        events
    }

    /// The risk that the log half publishes.
    fn risk(&self) -> Option<Risk> {
        let mut found = None;
        let mut reader = Reader::new(Path::new(&self.board()), Half::Log);
        // While a daemon starts it may be replaced.
        let read = reader.risks(|name, risk| {
            if name == "node7" {
                found = Some(risk);
            }
        });
        read.ok()?;
        found
    }

    /// The risk as the newest value in collectd, with its time.
    fn value(&self) -> Option<(f64, f64)> {
        self.collectd()
            .newest(&format!("{HOST}/percent-failure_risk"))
    }

    /// The time of the last tick of the guests that collectd says something about.
    fn tick(&self) -> f64 {
        let newest = self.collectd().newest(&format!("{HOST}/gauge-score"));
        newest.map_or(f64::NEG_INFINITY, |(time, _)| time)
    }

    /// Puts the failure into the log, and waits for the risk to be raised that it completes.
    fn fail(&mut self) -> Result<()> {
        self.fluent_bit.append("in.log", FAILING)?;
        self.wait("a risk and an alarm", |h| {
            Ok(!h.risks("raised").is_empty() && !h.events("log_failure", "raised").is_empty())
        })
    }

    /// Waits for this many turns of the log half.
    fn wait_turns(&mut self, turns: u32) -> Result<()> {
        for _ in 0..turns {
            let before = now();
            self.wait("a turn of the log half", |h| {
                Ok(h.risk().is_some_and(|r| r.time > before))
            })?;
        }
        Ok(())
    }
}

/// A host, or the end of the test.
macro_rules! halves {
    () => {
        match Halves::prepare()? {
            Some(halves) => halves,
            None => return Ok(()),
        }
    };
}

fn time(event: &Value) -> f64 {
    event["time"].as_f64().unwrap_or(f64::NAN)
}

#[test]
fn a_fault_in_both_halves_is_one_risk_with_the_first_certain_alarm_that_names_both() -> Result<()> {
    let mut host = halves!();
    host.start_collectd()?;
    host.start_fluent_bit("")?;
    // What the metrics say alone is no risk yet, although it is known.
    host.wait("a low risk in collectd", |h| {
        Ok(h.value().is_some_and(|(_, v)| v < 50.0))
    })?;
    host.wait("the metrics", |h| {
        Ok(h.fluent_bit
            .log()
            .contains("the metrics of 1 host are on the board"))
    })?;
    host.wait_turns(2)?;
    assert_eq!(host.risks("raised"), [] as [Value; 0]);

    host.fail()?;
    host.wait("the risk in collectd", |h| {
        Ok(h.value().is_some_and(|(_, v)| v >= 50.0))
    })?;
    host.wait_turns(2)?;
    let raised = host.risks("raised");
    assert_eq!(raised.len(), 1, "{raised:#?}");
    let risk = &raised[0];
    assert_eq!(risk["hypervisor"], "node7");
    let (message, sources) = (risk["message"].as_str(), risk["sources"].as_str());
    let (message, sources) = message.zip(sources).context("an event has a message")?;
    for text in [message, sources] {
        assert!(text.contains("provisional anomaly of its guests"), "{text}");
        assert!(
            text.contains("failure lines in 1 of the last 20 minutes"),
            "{text}"
        );
    }

    let certain = host.anomalies("raised").into_iter();
    let certain = certain.filter(|event| event.get("provisional") != "true");
    let alarms = host.events("log_failure", "raised");
    let alarms = certain
        .map(|event| event.time())
        .chain(alarms.iter().map(time));
    let first = alarms.fold(f64::INFINITY, f64::min);
    // In the next turn after the record, whatever the load of the machine makes of a second.
    let after = time(risk) - first;
    assert!(after < 60.0, "{after} s");

    // As every output of collectd has it.
    let csv = host
        .folder
        .path()
        .join(format!("csv/here/bellwether-{HOST}"));
    host.wait("the file of the value", |_| {
        let files = fs::read_dir(&csv).into_iter().flatten().flatten();
        let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
        Ok(names.any(|name| name.starts_with("percent-failure_risk-20")))
    })?;
    let thirty = host
        .collectd()
        .newest(&format!("{HOST}/percent-failure_risk_30min"));
    assert!(
        thirty.is_some_and(|(_, v)| (50.0..=90.0).contains(&v)),
        "{thirty:?}"
    );
    let values = host.collectd().values();
    let of_others = values.keys().filter(|name| name.contains("failure_risk"));
    assert_eq!(of_others.filter(|name| !name.starts_with(HOST)).count(), 0);
    Ok(())
}

#[test]
fn the_log_half_may_be_there_first() -> Result<()> {
    let mut host = halves!();
    host.start_fluent_bit("")?;
    host.fluent_bit.append("in.log", FAILING)?;
    host.wait("an alarm", |h| {
        Ok(!h.events("log_failure", "raised").is_empty())
    })?;
    host.wait_turns(2)?;
    assert_eq!(host.risks("raised"), [] as [Value; 0]);

    host.start_collectd()?;
    host.wait("a risk", |h| Ok(!h.risks("raised").is_empty()))?;
    host.wait("the risk in collectd", |h| {
        Ok(h.value().is_some_and(|(_, v)| v >= 50.0))
    })?;
    let raised = host.risks("raised");
    assert_eq!(raised.len(), 1, "{raised:#?}");
    Ok(())
}

#[test]
fn of_a_killed_collectd_nothing_is_known_until_it_is_back() -> Result<()> {
    let mut host = halves!();
    host.start_collectd()?;
    host.start_fluent_bit("risk_stale_sec 60\n    risk_hold_sec 1")?;
    host.fail()?;
    // With its open anomaly.
    host.collectd()
        .send(["FLUSH plugin=bellwether".to_owned()])?;
    host.collectd_runs = false;
    host.collectd.as_mut().expect("it was started").kill()?;
    let raised = host.risks("raised").len();

    host.wait("the end of the risk", |h| {
        Ok(h.risks("cleared").len() >= raised)
    })?;
    let board = Path::new(&host.board()).join("metrics.board");
    assert!(board.exists(), "what it said is still there");
    let cleared = host.risks("cleared");
    let sources = cleared.last().and_then(|event| event["sources"].as_str());
    let sources = sources.context("an event has its sources")?;
    assert!(sources.contains("had: unknown"), "{sources}");
    assert!(sources.contains("log: failure lines in 1"), "{sources}");
    // The log half goes on.
    host.wait_turns(2)?;
    assert!(host.risk().is_some_and(|risk| !risk.raised));

    host.collectd
        .as_mut()
        .expect("it was started")
        .start_again()?;
    host.collectd_runs = true;
    host.wait("the risk again", |h| Ok(h.risks("raised").len() > raised))?;
    let killed = now();
    host.wait("its value", |h| {
        Ok(h.value().is_some_and(|(t, v)| t > killed && v >= 50.0))
    })
}

#[test]
fn a_killed_fluent_bit_leaves_no_value_and_continues_with_the_same_risk() -> Result<()> {
    let mut host = halves!();
    host.start_collectd()?;
    host.start_fluent_bit("")?;
    host.fail()?;
    host.wait("the risk in collectd and in the saved state", |h| {
        let mut saved = Detector::new(RiskOptions::default())?;
        let bytes = fs::read(h.fluent_bit.folder().join("state.risk")).unwrap_or_default();
        let is_saved = saved.restore(&bytes).is_ok()
            && saved.status("node7").is_some_and(|status| status.raised);
        Ok(is_saved && h.value().is_some_and(|(_, v)| v >= 50.0))
    })?;
    host.fluent_bit.kill()?;
    let killed = now();

    // The half of the metrics goes on, round after round.
    let board = Path::new(&host.board()).join("metrics.board");
    host.wait("three rounds of collectd", |h| {
        let written = fs::metadata(&board)?
            .modified()?
            .duration_since(UNIX_EPOCH)?;
        Ok(written.as_secs_f64() > killed + 16.0 && h.tick() > killed - 2.0 * INTERVAL)
    })?;
    assert!(Path::new(&host.board()).join("log.board").exists());
    let values = host.collectd().values();
    let values = &values[&format!("{HOST}/percent-failure_risk")];
    let last = values.last().context("there were values")?;
    let is_repeated = values.windows(2).any(|two| two[1].0 <= two[0].0);
    assert!(
        !is_repeated,
        "what was last said is not said again: {values:?}"
    );
    assert!(
        last.0 <= killed && last.1 >= 50.0,
        "{last:?} after {killed}"
    );

    host.fluent_bit.start_again()?;
    host.fluent_bit.append("in.log", &ordinary(51..52))?;
    host.wait("its value again", |h| {
        Ok(h.value().is_some_and(|(t, v)| t > killed && v >= 50.0))
    })?;
    host.wait_turns(2)?;
    let raised = host.risks("raised");
    assert_eq!(raised.len(), 1, "raised once: {raised:#?}");
    assert_eq!(host.risks("cleared"), [] as [Value; 0]);
    Ok(())
}

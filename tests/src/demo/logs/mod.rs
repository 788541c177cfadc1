//! The log half of the demo: a day of the logs of four hosts, three of which fail, through the filter.

mod hosts;
mod judge;

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::screen::{Bar, Picture, Row, Screen};
use crate::testbed::plugin::Plugin;
use hosts::{Hosts, clock};
use judge::{Judge, Replayed, Tailing};

/// Seconds of log in a second while nothing happens.
const FAST: f64 = 7_200.0;
/// The same while a host fails.
const SLOW: f64 = 420.0;
/// From a guest's death on, what its host logs still belongs to the fault, seconds.
const AFTERMATH_S: f64 = 900.0;
/// Between two pictures.
const FRAME: Duration = Duration::from_millis(100);
/// How long the last records may take to come out.
const PATIENCE: Duration = Duration::from_secs(30);
/// One bar is so long, seconds.
const BAR_S: f64 = 900.0;
/// Lines that fill a bar.
const FULL_BAR: f64 = 320.0;

/// What became of one host.
#[derive(Debug)]
struct HostOutcome {
    /// Alarms while nothing was wrong with it.
    false_alarms: usize,
    /// When the first alarm was raised after its fault had begun, seconds since the epoch.
    raised: Option<f64>,
}

/// What the demo saw.
#[derive(Debug)]
pub struct Outcome {
    hosts: Hosts,
    of: Vec<HostOutcome>,
    /// The events, as they came.
    events: Vec<Value>,
    judge: String,
}

impl Outcome {
    /// Whether bellwether did what it is for.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let mut hosts = self.hosts.all.iter().zip(&self.of);
        hosts.all(|(host, of)| {
            let in_time = host
                .fault
                .as_ref()
                .is_none_or(|fault| of.raised.is_some_and(|raised| raised < fault.died));
            in_time && of.false_alarms == 0
        })
    }
}

/// What was seen of one host so far.
#[derive(Default)]
struct Seen {
    lines: usize,
    /// Lines, and whether one of them was flagged, in each [`BAR_S`].
    bars: Vec<(usize, bool)>,
    raised: bool,
    /// When the first alarm of its fault was raised, seconds since the epoch.
    alarm: Option<f64>,
}

/// Plays the day and shows it.
///
/// # Errors
/// When a program fails or standard output is gone.
pub fn play(plugin: &Plugin) -> Result<Outcome> {
    let hosts = Hosts::generate(plugin.folder())?;
    let mut judge = judge(plugin, &hosts)?;
    let mut screen = Screen::new();
    screen.tell(&format!(
        "{:.0} hours of the logs of {} hosts, {} lines, go through {}",
        hosts.hours(),
        hosts.all.len(),
        hosts.lines.len(),
        judge.name()
    ));
    let mut show = Show::new(&hosts);
    let mut time = hosts.begin();
    let mut last = Instant::now();
    let mut ended: Option<Instant> = None;
    loop {
        sleep(FRAME);
        time += last.elapsed().as_secs_f64() * pace(&hosts, time);
        last = Instant::now();
        let due = hosts.lines[show.fed..].partition_point(|line| line.time <= time);
        judge.feed(&hosts.lines[show.fed..show.fed + due])?;
        show.fed += due;
        show.note(judge.as_mut(), &mut screen)?;
        show.happen(time, &mut screen);
        screen.draw(&show.picture(time))?;
        if show.fed == hosts.lines.len() {
            let since = *ended.get_or_insert_with(Instant::now);
            if show.counted() == hosts.lines.len() {
                break;
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "of {} lines only {} came out; {}",
                hosts.lines.len(),
                show.counted(),
                judge.said()
            );
        }
    }
    // Events come by another way than records.
    sleep(5 * FRAME);
    show.note(judge.as_mut(), &mut screen)?;
    screen.draw(&show.picture(time))?;
    screen.finish();
    let events = show.events;
    Ok(outcome(hosts, events, judge.name()))
}

/// A real Fluent Bit, or what there is in its place.
fn judge(plugin: &Plugin, hosts: &Hosts) -> Result<Box<dyn Judge>> {
    match Tailing::start(plugin, hosts) {
        Ok(tailing) => Ok(Box::new(tailing)),
        Err(reason) => {
            println!("No Fluent Bit can be run here: {reason:#}.");
            Ok(Box::new(Replayed::run(plugin.folder(), hosts)?))
        }
    }
}

fn pace(hosts: &Hosts, time: f64) -> f64 {
    let fails = |fault: &hosts::Fault| (fault.began - 60.0..fault.died + 60.0).contains(&time);
    let mut faults = hosts.all.iter().filter_map(|host| host.fault.as_ref());
    if faults.any(fails) { SLOW } else { FAST }
}

/// What is shown.
struct Show<'a> {
    hosts: &'a Hosts,
    /// Lines given to the judge.
    fed: usize,
    seen: Vec<Seen>,
    templates: BTreeSet<(usize, u64)>,
    events: Vec<Value>,
    /// Faults and deaths told of.
    told: BTreeSet<(usize, bool)>,
}

impl<'a> Show<'a> {
    fn new(hosts: &'a Hosts) -> Self {
        Self {
            hosts,
            fed: 0,
            seen: hosts.all.iter().map(|_| Seen::default()).collect(),
            templates: BTreeSet::new(),
            events: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    fn counted(&self) -> usize {
        self.seen.iter().map(|host| host.lines).sum()
    }

    /// Tells of what the log's time has come to.
    fn happen(&mut self, time: f64, screen: &mut Screen) {
        for (at, host) in self.hosts.all.iter().enumerate() {
            let Some(fault) = &host.fault else { continue };
            if time >= fault.began && self.told.insert((at, false)) {
                let (when, what) = (clock(fault.began), host.trouble());
                screen.tell(&format!("{when}, fault injected: {what} {}", host.name));
            }
            if time >= fault.died && self.told.insert((at, true)) {
                let alarm = match self.seen[at].alarm {
                    Some(raised) => format!(", {} after the alarm", minutes(fault.died - raised)),
                    None => String::new(),
                };
                let (when, name) = (clock(fault.died), &host.name);
                screen.tell(&format!("{when}: a guest of {name} dies{alarm}"));
            }
        }
    }

    /// Takes what came out.
    fn note(&mut self, judge: &mut dyn Judge, screen: &mut Screen) -> Result<()> {
        let begin = self.hosts.begin();
        let (records, events) = judge.poll()?;
        for record in records {
            let seen = &mut self.seen[record.host];
            seen.lines += 1;
            let bar = ((record.time - begin) / BAR_S).max(0.0) as usize;
            if seen.bars.len() <= bar {
                seen.bars.resize(bar + 1, (0, false));
            }
            seen.bars[bar].0 += 1;
            seen.bars[bar].1 |= record.is_flagged;
            self.templates
                .extend(record.template.map(|id| (record.host, id)));
        }
        for event in events {
            let is_raised = event["state"] == "raised";
            let time = event["time"].as_f64();
            // What came before it is told before it.
            self.happen(time.unwrap_or_default(), screen);
            if let Some(at) = self.hosts.find(&event["hypervisor"]) {
                let seen = &mut self.seen[at];
                seen.raised = is_raised;
                let fault = self.hosts.all[at].fault.as_ref();
                if is_raised && seen.alarm.is_none() && fault.is_some_and(|f| time >= Some(f.began))
                {
                    seen.alarm = time;
                }
            }
            let severity = event["severity"]
                .as_str()
                .unwrap_or_default()
                .to_uppercase();
            let message = event["message"].as_str().unwrap_or_default();
            let when = clock(time.unwrap_or_default());
            screen.tell(&format!(">> {severity} log_failure, {when}: {message}"));
            self.events.push(event);
        }
        Ok(())
    }

    fn picture(&self, time: f64) -> Picture {
        let rows = self
            .hosts
            .all
            .iter()
            .zip(&self.seen)
            .map(|(host, seen)| Row {
                name: host.name.clone(),
                now: format!("{} lines", seen.lines),
                bars: seen
                    .bars
                    .iter()
                    .map(|(lines, flagged)| Bar {
                        level: *lines as f64 / FULL_BAR,
                        wrong: *flagged,
                    })
                    .collect(),
            });
        let raised: Vec<&str> = self
            .hosts
            .all
            .iter()
            .zip(&self.seen)
            .filter(|(_, seen)| seen.raised)
            .map(|(host, _)| host.name.as_str())
            .collect();
        let mut verdict = vec![("lines".to_owned(), self.counted().to_string())];
        if !self.templates.is_empty() {
            verdict.push(("templates".to_owned(), self.templates.len().to_string()));
        }
        Picture {
            heading: format!("a day of logs, its time is {}", clock(time)),
            rows: rows.collect(),
            state: if raised.is_empty() {
                "no failure".to_owned()
            } else {
                format!("FAILURE on {}", raised.join(", "))
            },
            verdict,
            raised: !raised.is_empty(),
        }
    }
}

/// A span of time, rounded down.
fn minutes(seconds: f64) -> String {
    format!("{:.0} min", (seconds / 60.0).floor())
}

fn outcome(hosts: Hosts, events: Vec<Value>, judge: String) -> Outcome {
    let of = hosts.all.iter().map(|host| {
        let of_host =
            |event: &&Value| event["state"] == "raised" && event["hypervisor"] == *host.name;
        let raised = events
            .iter()
            .filter(of_host)
            .filter_map(|event| event["time"].as_f64());
        let (mut false_alarms, mut first) = (0, None);
        for time in raised {
            match &host.fault {
                Some(fault) if (fault.began..fault.died + AFTERMATH_S).contains(&time) => {
                    first.get_or_insert(time);
                }
                _ => false_alarms += 1,
            }
        }
        HostOutcome {
            false_alarms,
            raised: first,
        }
    });
    Outcome {
        of: of.collect(),
        hosts,
        events,
        judge,
    }
}

/// What stays to be read after the demo: the events in full, and the outcome.
pub fn report(outcome: &Outcome) {
    println!(
        "\nThe first event of each failing host from {}, word for word (without \"window\", the lines before it):\n",
        outcome.judge
    );
    for host in outcome.hosts.all.iter().filter(|host| host.fault.is_some()) {
        let mut raised = outcome.events.iter();
        if let Some(event) =
            raised.find(|e| e["state"] == "raised" && e["hypervisor"] == *host.name)
        {
            let mut event = event.clone();
            if let Some(keys) = event.as_object_mut() {
                keys.remove("window");
            }
            println!("    {event}\n");
        }
    }
    println!("Outcome");
    for (host, of) in outcome.hosts.all.iter().zip(&outcome.of) {
        let alarms = match of.false_alarms {
            0 => "no false alarm".to_owned(),
            count => format!("{count} FALSE ALARMS"),
        };
        let told = match (&host.fault, of.raised) {
            (None, _) => String::new(),
            (Some(fault), Some(raised)) if raised < fault.died => format!(
                ", raised {} before a guest died",
                minutes(fault.died - raised)
            ),
            (Some(_), _) => ", NOT raised before a guest died".to_owned(),
        };
        println!(
            "    {}, {:<14} {alarms}{told}",
            host.name,
            host.scenario_words()
        );
    }
}

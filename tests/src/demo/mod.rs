//! The demo: real machines on a failing host, live in the terminal.

pub mod logs;
pub mod screen;
pub mod stage;

use std::path::Path;

use anyhow::Result;

use crate::testbed::collectd::Notification;
use screen::{Bar, Picture, Row, Screen};
use stage::{HYPERVISOR, Happening, INTERVAL_S, LONE_VM, Stage};

/// What the demo saw, in samples.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Alarms raised before the host failed: there should be none.
    pub false_alarms: usize,
    /// Samples from the host's fault to the alarm.
    pub raised_after: Option<usize>,
    /// Samples from the host's recovery to the all-clear.
    pub cleared_after: Option<usize>,
}

impl Outcome {
    /// Whether bellwether did what it is for.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.false_alarms == 0 && self.raised_after.is_some() && self.cleared_after.is_some()
    }
}

/// How long a happening lasts on a live stage, samples: at least, and at most while what it waits for has not come.
fn span(happening: Happening) -> (usize, usize) {
    match happening {
        // The detector wants some 45 samples of history.
        Happening::Normal => (64, 64),
        Happening::VmFault => (24, 24),
        // As long as the detector's baseline, which then holds nothing of the fault.
        Happening::VmRecovery => (48, 48),
        Happening::HostFault => (24, 40),
        Happening::HostRecovery => (36, 120),
    }
}

/// Plays all happenings and shows them.
///
/// # Errors
/// When the stage fails or standard output is gone.
pub fn play(stage: &mut dyn Stage, record_to: Option<&Path>) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut screen = Screen::new();
    let mut told = 0;
    let mut begun = Vec::new();
    for (index, happening) in Happening::ALL.into_iter().enumerate() {
        stage.begin(happening)?;
        begun.push((stage.now_s(), happening));
        screen.tell(&announcement(happening, stage.vms().len()));
        let heading = format!(
            "{}/{}  {}",
            index + 1,
            Happening::ALL.len(),
            title(happening)
        );
        let (least, most) = span(happening);
        let mut samples = 0;
        while stage.advance()? {
            samples += 1;
            let notifications = anomalies(stage);
            for notification in &notifications[told.min(notifications.len())..] {
                screen.tell(&headline(notification));
                note(&mut outcome, notification, happening, samples);
            }
            told = notifications.len();
            screen.draw(&picture(stage, &heading, &begun, is_raised(&notifications)))?;
            let awaited = match happening {
                Happening::HostFault => outcome.raised_after.is_some(),
                Happening::HostRecovery => outcome.cleared_after.is_some(),
                _ => true,
            };
            if stage.is_live() && (samples >= most || samples >= least && awaited) {
                break;
            }
        }
    }
    screen.finish();
    if let Some(file) = record_to {
        stage::record(file, stage, &begun)?;
    }
    Ok(outcome)
}

fn note(outcome: &mut Outcome, news: &Notification, happening: Happening, samples: usize) {
    let raised = news.severity != "OKAY";
    match happening {
        Happening::HostFault if raised => {
            outcome.raised_after.get_or_insert(samples);
        }
        Happening::HostRecovery if !raised => {
            outcome.cleared_after.get_or_insert(samples);
        }
        Happening::HostFault | Happening::HostRecovery => {}
        _ if raised => outcome.false_alarms += 1,
        _ => {}
    }
}

/// The notifications of anomalies so far.
pub fn anomalies(stage: &dyn Stage) -> Vec<Notification> {
    let all = stage.collectd().notifications().into_iter();
    all.filter(Notification::is_hypervisor_anomaly).collect()
}

fn is_raised(notifications: &[Notification]) -> bool {
    notifications
        .last()
        .is_some_and(|last| last.severity != "OKAY")
}

fn headline(notification: &Notification) -> String {
    format!(
        ">> {} hypervisor_anomaly: {}",
        notification.severity, notification.message
    )
}

fn title(happening: Happening) -> &'static str {
    match happening {
        Happening::Normal => "normal life, bellwether learns",
        Happening::VmFault => "one guest slows down: not the host's fault",
        Happening::VmRecovery => "normal again",
        Happening::HostFault => "THE HOST FAILS: all guests slow down",
        Happening::HostRecovery => "the host has recovered",
    }
}

fn announcement(happening: Happening, vms: usize) -> String {
    match happening {
        Happening::Normal => format!("{vms} guests on {HYPERVISOR} do their work"),
        Happening::VmFault => format!("fault injected: CPU quota on {LONE_VM} alone"),
        Happening::VmRecovery => format!("quota of {LONE_VM} lifted"),
        Happening::HostFault => {
            format!("fault injected: CPU quota on all guests of {HYPERVISOR} together")
        }
        Happening::HostRecovery => format!("quota on {HYPERVISOR} lifted"),
    }
}

/// CPU use that fills a bar, percent of one core.
const FULL_BAR_PERCENT: f64 = 48.0;

fn picture(stage: &dyn Stage, heading: &str, begun: &[(f64, Happening)], raised: bool) -> Picture {
    let rows = stage.vms().iter().map(|vm| {
        let samples = stage.collectd().cpu_percent(vm);
        let now = samples.last().map(|(_, percent)| format!("{percent:.0} %"));
        let bar = |(time, percent): (f64, f64)| Bar {
            level: percent / FULL_BAR_PERCENT,
            wrong: Happening::at(time, begun).slows(vm),
        };
        Row {
            name: vm.clone(),
            now: now.unwrap_or_else(|| "- %".to_owned()),
            bars: samples.into_iter().map(bar).collect(),
        }
    });
    let state = if raised { "ANOMALY" } else { "no anomaly" };
    Picture {
        heading: heading.to_owned(),
        rows: rows.collect(),
        state: state.to_owned(),
        verdict: verdict(stage),
        raised,
    }
}

/// What the plugin dispatches as values about the hypervisor, the latest of each.
fn verdict(stage: &dyn Stage) -> Vec<(String, String)> {
    let plugin = format!("bellwether-{HYPERVISOR}");
    ["gauge-score", "percent-consensus", "count-voters"]
        .into_iter()
        .filter_map(|kind| {
            let (_, value) = stage.collectd().values(HYPERVISOR, &plugin, kind).pop()?;
            let (unit, name) = kind.split_once('-')?;
            let value = match unit {
                "percent" => format!("{value:.0} %"),
                "count" => format!("{value:.0}"),
                _ => format!("{value:.2}"),
            };
            Some((name.to_owned(), value))
        })
        .collect()
}

/// Lines shown of each file of values.
const VALUES_SHOWN: usize = 3;

/// What stays to be read after the demo: the notifications in full, the values, and the outcome.
pub fn report(stage: &dyn Stage, outcome: &Outcome) {
    let collectd = stage.collectd();
    let anomalies = anomalies(stage);
    println!("\nWhat collectd's exec plugin was given, word for word:\n");
    for notification in &anomalies {
        for line in notification.text.lines() {
            println!("    {line}");
        }
        println!();
    }
    let plugin = format!("bellwether-{HYPERVISOR}");
    let folder = collectd.values_folder().join(HYPERVISOR).join(&plugin);
    println!("What collectd's csv plugin wrote of bellwether's values around the alarm, in");
    println!("{}:\n", folder.display());
    let since = anomalies.first().map_or(0.0, |raised| raised.time) - INTERVAL_S;
    for (file, lines) in collectd.files_of(HYPERVISOR, &plugin) {
        let is_near = |line: &&String| {
            let time = line.split(',').next().and_then(|time| time.parse().ok());
            time.is_some_and(|time: f64| time >= since)
        };
        println!("    {file}");
        for line in lines.iter().filter(is_near).take(VALUES_SHOWN) {
            println!("        {line}");
        }
    }
    let samples = |count: Option<usize>| {
        count.map_or("never".to_owned(), |count| {
            format!(
                "after {count} samples ({:.1} s of data)",
                count as f64 * INTERVAL_S
            )
        })
    };
    println!("\nOutcome");
    println!("    one guest slow:      {} alarms", outcome.false_alarms);
    println!("    host fault raised:   {}", samples(outcome.raised_after));
    println!(
        "    recovery told:       {}",
        samples(outcome.cleared_after)
    );
}

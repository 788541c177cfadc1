//! The tables of the risk: how often each source was in each state in minutes that a failure followed, and in all others.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bellwether_core::risk::{
    Counts, Horizon, HorizonCounts, Source, SourceState, TABLES_VERSION, Tables, TablesFile,
};
use bellwether_records::command;
use clap::Args;

use crate::evaluate::risk::ReplayArguments;
use crate::evaluate::table::markdown;
use crate::minutes::{Follows, GivenArguments, Host, Minute, Weights, given};

const EXAMPLES: &str = "\
Examples:
  bellwether-lab tune risk --out tables.json
  bellwether-lab tune risk --logs recorded/ --labels labels.json --out tables.json
  bellwether-lab evaluate risk --tables tables.json";

/// The seed when nothing else is said; "evaluate risk" has another one.
const SEED: u64 = 1;

/// Make the tables of the risk from generated hosts, and from given logs
///
/// The hosts are generated and replayed as by "bellwether-lab evaluate risk", with another seed. Given logs add to the counts of the log.
/// Minutes far from a failure are weighted so that failures are as frequent as --failures-per-host-year. Those of a
/// fault of which a guest dies later than the horizon are counted by themselves. The file is what the option "tables" of the detector "risk"
/// takes. Prints the evidence of each state by itself, in nats.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TuneRiskArguments {
    #[command(flatten)]
    pub replay: ReplayArguments,

    #[command(flatten)]
    pub given: GivenArguments,

    /// Write the tables to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Makes the tables, writes and prints them.
///
/// # Errors
/// Arguments that cannot be, and what cannot be read or written.
pub fn run(arguments: &TuneRiskArguments) -> Result<()> {
    let replay = &arguments.replay;
    let setting = replay.setting(SEED)?;
    let (_fleet, detectors) = replay.fleet(&setting)?;
    let hosts = replay.hosts(&setting, &detectors)?;
    let recorded = given(&arguments.given, &detectors)?;
    let failing = |hosts: &[Host]| hosts.iter().filter(|h| h.failure.is_some()).count();
    let rate = replay.failures_per_host_year;
    let leads = replay.days.leads.word();
    let mut made_by = format!(
        "bellwether-lab tune risk --seed {} --leads {leads} --failures-per-host-year {rate}: {} failing and {} healthy generated host-days",
        setting.seed,
        failing(&hosts),
        hosts.len() - failing(&hosts),
    );
    if !recorded.is_empty() {
        made_by += &format!(
            ", {} failing and {} healthy given logs",
            failing(&recorded),
            recorded.len() - failing(&recorded)
        );
    }
    let sets = [hosts, recorded];
    let file = TablesFile {
        version: TABLES_VERSION,
        made_by,
        horizons: Horizon::ALL
            .map(|horizon| counted(&sets, horizon, rate))
            .into(),
    };
    let tables = Tables::new(&file)?;
    if let Some(path) = &arguments.out {
        fs::write(path, json(&file)?).with_context(|| path.display().to_string())?;
    }
    command::print(&text(&file, &tables))
}

/// The minutes of these sets of hosts, each with what follows it, and its weight.
fn minutes(
    sets: &[Vec<Host>],
    horizon: Horizon,
    rate: f64,
) -> impl Iterator<Item = (&Minute, Follows, f64)> {
    sets.iter().flat_map(move |hosts| {
        let weights = Weights::new(hosts, rate);
        hosts.iter().flat_map(move |host| {
            host.minutes.iter().map(move |minute| {
                let follows = host.follows(minute.time, horizon);
                (minute, follows, weights.of(host, minute.time))
            })
        })
    })
}

/// The counts of all minutes of these sets of hosts; in each set, failures are as frequent as `rate` per host and year.
fn counted(sets: &[Vec<Host>], horizon: Horizon, rate: f64) -> HorizonCounts {
    let mut counts = Source::ALL.iter().map(|source| Counts {
        failing: vec![0.0; source.states().len()],
        later: vec![0.0; source.states().len()],
        healthy: vec![0.0; source.states().len()],
    });
    let mut counts: [Counts; Source::ALL.len()] =
        std::array::from_fn(|_| counts.next().expect("a source for each place"));
    for (minute, follows, weight) in minutes(sets, horizon, rate) {
        for (counts, state) in counts.iter_mut().zip(minute.states) {
            let Some(level) = state.level() else { continue };
            let side = match follows {
                Follows::Failure => &mut counts.failing,
                Follows::LaterFailure => &mut counts.later,
                Follows::None => &mut counts.healthy,
            };
            side[level] += weight;
        }
    }
    for counts in &mut counts {
        for side in [&mut counts.failing, &mut counts.later, &mut counts.healthy] {
            side.iter_mut().for_each(|count| *count = count.round());
        }
    }
    let [log, had, resource, novelty] = counts;
    HorizonCounts {
        minutes: horizon.minutes(),
        log,
        had,
        resource,
        novelty,
    }
}

/// The file's text: a line for each list of counts.
fn json(file: &TablesFile) -> Result<String> {
    let list = |counts: &[f64]| {
        let counts: Vec<String> = counts.iter().map(|count| format!("{count:.0}")).collect();
        format!("[{}]", counts.join(", "))
    };
    let source = |horizon: &HorizonCounts, source: Source| {
        let (name, counts) = (source.name(), horizon.of(source));
        let [failing, later, healthy] =
            [&counts.failing, &counts.later, &counts.healthy].map(|counts| list(counts));
        format!(
            "      \"{name}\": {{\n        \"failing\": {failing},\n        \"later\": {later},\n        \"healthy\": {healthy}\n      }}"
        )
    };
    let horizon = |horizon: &HorizonCounts| {
        let sources = Source::ALL.iter().map(|of| source(horizon, *of));
        let sources: Vec<String> = sources.collect();
        let minutes = horizon.minutes;
        format!(
            "    {{\n      \"minutes\": {minutes},\n{}\n    }}",
            sources.join(",\n")
        )
    };
    let horizons: Vec<String> = file.horizons.iter().map(horizon).collect();
    let made_by = serde_json::to_string(&file.made_by)?;
    Ok(format!(
        "{{\n  \"version\": {},\n  \"made_by\": {made_by},\n  \"horizons\": [\n{}\n  ]\n}}\n",
        file.version,
        horizons.join(",\n")
    ))
}

/// The evidence of every state, as tables.
fn text(file: &TablesFile, tables: &Tables) -> String {
    let mut all = String::new();
    for (horizon, counts) in Horizon::ALL.into_iter().zip(&file.horizons) {
        let header = [
            "source",
            "state",
            "before a failure",
            "of a fault that fails later",
            "otherwise",
            "evidence",
        ];
        let mut rows = Vec::new();
        for source in Source::ALL {
            let counts = counts.of(*source);
            for (level, name) in source.states().iter().enumerate() {
                let state = SourceState::new(*source, level);
                let evidence = state.map_or(0.0, |state| tables.evidence(horizon, state));
                rows.push(vec![
                    source.name().to_owned(),
                    (*name).to_owned(),
                    format!("{:.0}", counts.failing[level]),
                    format!("{:.0}", counts.later[level]),
                    format!("{:.0}", counts.healthy[level]),
                    format!("{evidence:+.1}"),
                ]);
            }
        }
        let title = format!(
            "Minutes by state; a failure within {} minutes",
            horizon.minutes()
        );
        all += &markdown(&title, &header.map(str::to_owned), &rows);
        all.push('\n');
    }
    all + &file.made_by + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minutes::{Minute, unknown};

    /// A host that is healthy for a day, or fails at its end; its log has failing lines in its last minutes.
    fn host(failure: Option<(f64, f64)>, failing_minutes: usize) -> Host {
        let minutes = 1..1_440_usize;
        let minute = |at: usize| {
            let mut states = unknown();
            let lines = (at + failing_minutes).saturating_sub(1_439);
            states[Source::Log as usize] = SourceState::log(lines as u32);
            Minute {
                time: at as f64 * 60.0,
                states,
                published: f64::NAN,
            }
        };
        Host {
            name: "hv1".into(),
            failure,
            minutes: minutes.map(minute).collect(),
        }
    }

    #[test]
    fn minutes_count_by_state_and_by_whether_a_failure_follows_within_the_horizon() {
        let death = 1_440.0 * 60.0;
        let hosts = vec![host(Some((death - 1_200.0, death)), 15), host(None, 0)];
        let counts = counted(&[hosts], Horizon::Ten, 36.5);
        assert_eq!(counts.log.failing, [0.0, 0.0, 0.0, 4.0, 6.0]);
        // Of the fault's other ten minutes five are quiet, one has one line, two have 2 to 3, and two have 4 to 9.
        assert_eq!(counts.log.later, [5.0, 1.0, 2.0, 2.0, 0.0]);
        assert_eq!(counts.log.healthy[1..], [0.0; 4]);
        // One failure in ten days of a host, without its twenty minutes.
        let sum: f64 = counts.log.healthy.iter().sum();
        assert!((sum - (14_410.0 - 20.0)).abs() < 2.0, "{sum}");
        assert_eq!(counts.had.failing, [0.0; 5]);
    }

    #[test]
    fn the_tables_are_read_from_the_file_as_they_were_counted() {
        let death = 1_440.0 * 60.0;
        let hosts = vec![host(Some((death - 1_200.0, death)), 15), host(None, 0)];
        let sets = [hosts];
        let file = TablesFile {
            version: TABLES_VERSION,
            made_by: "a \"test\"".into(),
            horizons: Horizon::ALL
                .map(|horizon| counted(&sets, horizon, 4.0))
                .into(),
        };
        let text = json(&file).unwrap();
        assert_eq!(serde_json::from_str::<TablesFile>(&text).unwrap(), file);
        let tables = Tables::from_json(&text).unwrap();
        let evidence = |lines| tables.evidence(Horizon::Ten, SourceState::log(lines));
        assert!(evidence(5) > 3.0 && evidence(0) < 0.0);
    }
}

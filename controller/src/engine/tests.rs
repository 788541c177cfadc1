use bellwether_core::policy::Decision;

use super::{Entry, Machine};
use crate::config::Config;

fn config() -> Config {
    let policy = "mode = \"auto\"\nmax_hosts = 100\ngroup_labels = \"none\"\ntargets = \"platform\"\nhold_down_sec = 20\ntrip_hosts = 1000";
    Config::parse(&format!(
        "[policy]\n{policy}\n[executor]\nkind = \"hooks\"\n[hooks]\nevacuate = [\"/bin/true\"]\n"
    ))
    .unwrap()
}

/// The journal of some minutes with several hosts that turn red, and orders of people.
fn journal() -> Vec<Entry> {
    let mut lines = vec![
        r#"{"time":1000000000,"input":"topology","hosts":{"h0":{},"h1":{},"h2":{},"h3":{},"h4":{},"h5":{},"h6":{},"h7":{},"h8":{},"h9":{}}}"#
            .to_owned(),
    ];
    for step in 0..60_u32 {
        let time = 1e9 + f64::from(step) * 7.3;
        let host = format!("h{}", step % 4);
        let incident = format!("{step:032x}");
        let begin = format!(
            r#""time":{time},"state":"raised","severity":"failure","hypervisor":"{host}","score":0.8,"message":"m","since":{time},"incident":"{incident}","received":{}"#,
            time + f64::from(step % 3)
        );
        lines.push(match step % 5 {
            0 | 1 => format!(
                r#"{{"event":"log_failure",{begin},"stream":"{host}","template":"t","template_id":1,"family":"storage","phrase":"p","trusted":true,"count":1}}"#
            ),
            2 | 3 => format!(
                r#"{{"event":"hypervisor_anomaly",{begin},"metric":"cpu","cause":"external","consensus":1,"distinctiveness":0.6,"consistency":0.1,"direction":"down","channel":"fast","vms":5,"voters":5}}"#
            ),
            _ if step % 2 == 0 => {
                format!(r#"{{"time":{},"input":"pause","by":"ada"}}"#, time + 2.0)
            }
            _ => format!(r#"{{"time":{},"input":"resume","by":"ada"}}"#, time + 2.0),
        });
    }
    let mut entries: Vec<_> = lines
        .iter()
        .map(|line| Entry::from_json(line).unwrap())
        .collect();
    entries.sort_by(|a, b| a.at().secs().total_cmp(&b.at().secs()));
    entries
}

fn decisions(restart_at: impl Fn(usize) -> bool) -> Vec<Decision> {
    let config = config();
    let mut machine = Machine::new(&config).unwrap();
    let mut decisions = Vec::new();
    for (number, entry) in journal().iter().enumerate() {
        decisions.extend(machine.step(entry).decisions);
        if restart_at(number) {
            let snapshot = machine.snapshot();
            machine = Machine::new(&config).unwrap();
            machine.restore(&snapshot).unwrap();
            assert_eq!(machine.snapshot().json, snapshot.json);
        }
    }
    decisions
}

#[test]
fn the_same_journal_gives_the_same_decisions_with_restarts_anywhere_in_between() {
    let whole = decisions(|_| false);
    assert!(whole.len() > 4, "{whole:?}");
    assert_eq!(decisions(|_| true), whole);
    for every in [2, 3, 7] {
        assert_eq!(decisions(|number| number % every == 0), whole, "{every}");
    }
}

#[test]
fn ticks_between_the_entries_change_nothing() {
    let config = config();
    let whole = decisions(|_| false);
    let mut machine = Machine::new(&config).unwrap();
    let mut ticked = Vec::new();
    for entry in &journal() {
        // As the live engine does: it ticks whenever it is time to.
        while machine.at().secs() > 0.0 && machine.next_tick() < entry.at() {
            let next = machine.next_tick();
            ticked.extend(machine.advance(next).decisions);
        }
        ticked.extend(machine.step(entry).decisions);
    }
    assert_eq!(ticked, whole);
}

#[test]
fn an_event_that_was_taken_in_is_known_also_after_a_restart() {
    let config = config();
    let mut machine = Machine::new(&config).unwrap();
    let journal = journal();
    let entry = journal
        .iter()
        .find(|entry| matches!(entry, Entry::Event { .. }));
    let Some(entry @ Entry::Event { event, .. }) = entry else {
        panic!("the journal has events");
    };
    assert!(!machine.is_repeated(event));
    machine.step(entry);
    let mut other = Machine::new(&config).unwrap();
    other.restore(&machine.snapshot()).unwrap();
    assert!(machine.is_repeated(event) && other.is_repeated(event));
}

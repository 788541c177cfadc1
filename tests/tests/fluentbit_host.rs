//! The plugin in a host of our own, with chunks of every encoding; needs a C compiler and nothing of Fluent Bit.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use bellwether_tests::fluentbit::chunk::{Encoding, USUAL, encodings, map, records};
use bellwether_tests::fluentbit::host::{Host, Setup, installed};
use bellwether_tests::{mount, skipped};
use rmpv::Value;

/// When the chunks begin, in seconds since the epoch.
const START: i64 = 1_700_000_000;

/// So many ordinary lines teach a stream what is normal.
const ORDINARY: usize = 400;

fn ordinary(number: usize) -> String {
    format!(
        "session {number} opened for user root by (uid={})",
        number % 7
    )
}

const FAILING: &str = "blk_update_request: I/O error, dev sda, sector 7814037";

fn line(encoding: Encoding, number: usize, text: &str) -> Vec<u8> {
    encoding.record(START + number as i64, &map([("log", text.into())]))
}

fn chunk(encoding: Encoding, numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers
        .flat_map(|n| line(encoding, n, &ordinary(n)))
        .collect()
}

/// The map of a record.
fn fields(record: &Value) -> &Value {
    &record[1]
}

/// A host whose stream has learnt what is normal.
fn taught(setup: &Setup<'_>) -> Result<Host> {
    let mut host = Host::start(setup)?;
    host.filter(&chunk(USUAL, 0..ORDINARY))?;
    Ok(host)
}

#[test]
fn every_encoding_is_read_and_its_records_get_their_template() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    for encoding in encodings() {
        let before = chunk(encoding, 0..50);
        let after = host
            .filter(&before)?
            .expect("every record gets its template");
        let (before, after) = (records(&before), records(&after));
        assert_eq!(before.len(), after.len(), "{encoding:?}");
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before[0], after[0], "{encoding:?}");
            assert_eq!(fields(before)["log"], fields(after)["log"], "{encoding:?}");
            let template = fields(after)["bellwether_template"].as_str();
            assert!(
                template.is_some_and(|t| t.contains("session")),
                "{encoding:?} {after}"
            );
            assert!(
                fields(after)["bellwether_template_id"].as_u64() >= Some(1),
                "{after}"
            );
        }
    }
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    Ok(())
}

#[test]
fn a_failure_is_flagged_and_its_event_comes_inline_behind_its_chunk() -> Result<()> {
    let mut host = taught(&Setup {
        properties: vec!["record_keys=none", "host=node7"],
        ..Setup::default()
    })?;
    assert_eq!(host.filter(&chunk(USUAL, 500..520))?, None);
    let before = [line(USUAL, 600, FAILING), chunk(USUAL, 601..605)].concat();
    let after = host.filter(&before)?.expect("a record is flagged");
    let after = records(&after);
    assert_eq!(after.len(), 6, "{after:#?}");
    let flagged = fields(&after[0]);
    assert_eq!(
        flagged["bellwether_family"].as_str(),
        Some("storage"),
        "{flagged}"
    );
    assert!(
        flagged["bellwether_severity"].as_f64() >= Some(0.5),
        "{flagged}"
    );
    let event = fields(&after[5]);
    for (key, value) in [
        ("event", "log_failure"),
        ("state", "raised"),
        ("severity", "failure"),
        ("hypervisor", "node7"),
        ("stream", "node7"),
        ("family", "storage"),
        ("sample", FAILING),
    ] {
        assert_eq!(event[key].as_str(), Some(value), "{key} of {event}");
    }
    assert_eq!(event["time"].as_f64(), Some(START as f64 + 600.5));
    Ok(())
}

#[test]
fn an_event_goes_to_the_companion_input_where_there_is_one() -> Result<()> {
    let mut host = taught(&Setup {
        properties: vec!["record_keys=none"],
        companion: true,
        ..Setup::default()
    })?;
    assert_eq!(host.collect()?, b"");
    let after = host
        .filter(&line(USUAL, 600, FAILING))?
        .expect("it is flagged");
    assert_eq!(records(&after).len(), 1);
    let events = host.collect()?;
    let event = &records(&events)[0];
    assert_eq!(
        fields(event)["event"].as_str(),
        Some("log_failure"),
        "{event}"
    );
    assert_eq!(host.collect()?, b"");
    // It passes through the filter itself, whose Match may be *.
    assert_eq!(host.filter(&events)?, None);
    host.filter(&chunk(USUAL, 700..710))?;
    let metrics = metrics_now(&mut host)?;
    for line in [
        format!(
            "bellwether_filter_records_total{{bellwether.0}} {}",
            ORDINARY + 11
        ),
        "bellwether_filter_events_total{bellwether.0} 1".into(),
        "bellwether_filter_failures_total{bellwether.0} 1".into(),
        "bellwether_filter_streams{bellwether.0} 1".into(),
        "bellwether_input_events_dropped_total{bellwether.1} 0".into(),
    ] {
        assert!(metrics.lines().any(|l| l == line), "{line} in {metrics}");
    }
    Ok(())
}

/// The metrics after everything so far: they are published once a second.
fn metrics_now(host: &mut Host) -> Result<String> {
    std::thread::sleep(Duration::from_millis(1100));
    host.collect()?;
    host.metrics()
}

fn has_line(text: &str, line: &str) -> bool {
    text.lines().any(|other| other == line)
}

/// Waits for something without feeding the filter.
fn wait(
    host: &mut Host,
    what: &str,
    mut done: impl FnMut(&mut Host) -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done(host)? {
        ensure!(Instant::now() < deadline, "no {what}; log:\n{}", host.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// A failing line of this very moment.
fn failing_now() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("it is after 1970").as_secs();
    USUAL.record(now as i64, &map([("log", FAILING.into())]))
}

#[test]
fn a_failure_that_nothing_comes_after_is_in_the_metrics_and_in_the_saved_state() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state");
    let state = format!("state_file={}", path.display());
    let setup = Setup {
        properties: vec!["record_keys=none", "training=0", &state],
        companion: true,
        ..Setup::default()
    };
    let mut host = Host::start(&setup)?;
    let none = "bellwether_filter_episodes_total{bellwether.0} 0";
    assert!(has_line(&metrics_now(&mut host)?, none));
    host.filter(&line(USUAL, 1, &ordinary(1)))?;
    host.filter(&failing_now())?;
    // The last that this host's log says.
    let metrics = metrics_now(&mut host)?;
    for line in [
        "bellwether_filter_records_total{bellwether.0} 2",
        "bellwether_filter_episodes_total{bellwether.0} 1",
        "bellwether_filter_open_episodes{bellwether.0} 1",
    ] {
        assert!(has_line(&metrics, line), "{line} in {metrics}");
    }
    wait(&mut host, "state", |_| Ok(path.exists()))?;
    drop(host);
    // The episode goes on, and is no new one to whoever looks at the increase of the counter.
    let mut after = Host::start(&setup)?;
    after.collect()?;
    let metrics = after.metrics()?;
    for line in [
        "bellwether_filter_episodes_total{bellwether.0} 1",
        "bellwether_filter_open_episodes{bellwether.0} 1",
    ] {
        assert!(has_line(&metrics, line), "{line} in {metrics}");
    }
    Ok(())
}

#[test]
fn a_verdict_is_saved_soon_and_outlives_a_crash() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state");
    let state = format!("state_file={}", path.display());
    let setup = Setup {
        properties: vec![
            "record_keys=none",
            "training=0",
            "feedback_match=the.*",
            &state,
        ],
        ..Setup::default()
    };
    let mut host = Host::start(&setup)?;
    let flagged = host.filter(&line(USUAL, 1, FAILING))?;
    let flagged = records(&flagged.expect("it is flagged"));
    let template = fields(&flagged[0])["bellwether_template"].clone();
    wait(&mut host, "state", |_| Ok(path.exists()))?;
    let before = fs::metadata(&path)?.ino();
    let verdict = USUAL.record(
        START + 2,
        &map([
            ("bellwether_verdict", "benign".into()),
            ("template", template),
            ("hypervisor", fields(&flagged[1])["hypervisor"].clone()),
        ]),
    );
    let replaced = host.filter(&verdict)?.expect("an event comes behind it");
    let event = &records(&replaced)[1];
    assert_eq!(fields(event)["state"].as_str(), Some("cleared"), "{event}");
    // No other record follows.
    wait(&mut host, "state with the verdict", |_| {
        Ok(fs::metadata(&path).is_ok_and(|file| file.ino() != before))
    })?;
    drop(host);
    let mut host = Host::start(&setup)?;
    assert_eq!(host.filter(&line(USUAL, 3, FAILING))?, None);
    Ok(())
}

#[test]
fn the_episode_of_a_host_that_falls_silent_ends_by_time_but_not_that_of_a_recording() -> Result<()>
{
    let setup = Setup {
        properties: vec!["record_keys=none", "training=0", "forget_sec=1"],
        companion: true,
        ..Setup::default()
    };
    let mut host = Host::start(&setup)?;
    host.filter(&failing_now())?;
    let mut told = Vec::new();
    wait(&mut host, "end of the episode", |host| {
        told.extend(records(&host.collect()?));
        Ok(told.len() == 2)
    })?;
    let cleared = fields(&told[1]);
    assert_eq!(cleared["state"].as_str(), Some("cleared"), "{cleared}");
    let mut recording = Host::start(&setup)?;
    recording.filter(&line(USUAL, 1, FAILING))?;
    assert_eq!(records(&recording.collect()?).len(), 1);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(recording.collect()?, b"");
    Ok(())
}

#[test]
fn one_thread_keeps_house_without_signals_and_ends_with_the_last_filter() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = format!("state_file={}/state", folder.path().display());
    let mut host = Host::start(&Setup {
        properties: vec![&state],
        ..Setup::default()
    })?;
    host.filter(&chunk(USUAL, 0..10))?;
    let ours = |host: &Host| -> Result<Vec<u64>> {
        let threads = host.threads()?;
        let names = ["bellwether", "bellwether-save"];
        let ours = threads
            .into_iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        Ok(ours.map(|(_, blocked)| blocked).collect())
    };
    for _ in 0..3 {
        // A thread gives itself its name.
        wait(&mut host, "thread", |host| Ok(ours(host)?.len() == 2))?;
        let blocked = ours(&host)?;
        // SIGHUP, SIGINT, SIGTERM and SIGUSR1 go to the host's own threads.
        for signal in [1, 2, 15, 10] {
            assert!(
                blocked.iter().all(|mask| mask & 1 << (signal - 1) != 0),
                "{signal}: {blocked:x?}"
            );
        }
        host.restart()?;
    }
    host.leave()?;
    assert!(ours(&host)?.is_empty(), "{:?}", host.threads());
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    Ok(())
}

#[test]
fn what_the_housekeeper_has_to_say_is_logged_by_a_thread_of_the_host() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = format!("state_file={}/state", folder.path().display());
    let mut host = Host::start(&Setup {
        properties: vec!["training=0", &state, "state_interval=1"],
        companion: true,
        ..Setup::default()
    })?;
    // Once it answers it has started, and does not create the folder any more.
    host.collect()?;
    folder.close()?;
    host.filter(&failing_now())?;
    wait(&mut host, "line of the log", |host| {
        host.collect()?;
        Ok(host.log().contains(
            "[warn] [filter:bellwether:bellwether.0] cannot save the learned state: snapshot ",
        ))
    })?;
    assert!(!host.log().contains("foreign thread"), "{}", host.log());
    Ok(())
}

#[test]
fn many_records_without_a_text_are_complained_about_once_with_their_keys() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    let unread = map([("event_text", FAILING.into()), ("n", 1.into())]);
    let unread = USUAL.record(START, &unread);
    for _ in 0..20 {
        host.filter(&unread.repeat(30))?;
    }
    let log = host.log();
    assert_eq!(log.matches("have no text").count(), 1, "{log}");
    assert!(
        log.contains("the keys: event_text, n; name the one with the text in the option text_keys"),
        "{log}"
    );
    Ok(())
}

#[test]
fn an_event_names_the_program_the_unit_and_the_tag_of_its_record() -> Result<()> {
    let mut host = Host::start(&Setup {
        properties: vec!["training=0"],
        companion: true,
        ..Setup::default()
    })?;
    let journal = map([
        ("MESSAGE", FAILING.into()),
        ("SYSLOG_IDENTIFIER", "kernel".into()),
        ("_SYSTEMD_UNIT", "init.scope".into()),
    ]);
    host.filter(&USUAL.record(START, &journal))?;
    let events = records(&host.collect()?);
    for (key, value) in [
        ("program", "kernel"),
        ("unit", "init.scope"),
        ("tag", "the.tag"),
    ] {
        assert_eq!(fields(&events[0])[key].as_str(), Some(value), "{key}");
    }
    Ok(())
}

#[test]
fn a_queue_that_nobody_empties_drops_and_counts() -> Result<()> {
    let mut host = Host::start(&Setup {
        properties: vec!["input.queue_length=1", "stream_keys=host", "training=0"],
        companion: true,
        ..Setup::default()
    })?;
    for node in ["a", "b", "c"] {
        let fields = map([("log", FAILING.into()), ("host", node.into())]);
        host.filter(&USUAL.record(START, &fields))?;
    }
    assert_eq!(records(&host.collect()?).len(), 1);
    let metrics = host.metrics()?;
    assert!(
        metrics.contains("events_dropped_total{bellwether.1} 2"),
        "{metrics}"
    );
    Ok(())
}

#[test]
fn no_event_is_told_where_none_is_wanted() -> Result<()> {
    let mut host = taught(&Setup {
        properties: vec!["events=none", "flagged_keys=none", "record_keys=none"],
        companion: true,
        ..Setup::default()
    })?;
    assert_eq!(host.filter(&line(USUAL, 600, FAILING))?, None);
    assert_eq!(host.collect()?, b"");
    Ok(())
}

#[test]
fn texts_that_are_odd_pass_and_lose_nothing() -> Result<()> {
    let mut host = taught(&Setup::default())?;
    let mut broken = line(USUAL, 1, "a?b");
    let at = broken.iter().position(|&b| b == b'?').expect("it is there");
    broken[at] = 0xff;
    let odd = [
        USUAL.record(START, &map([])),
        USUAL.record(START, &map([("log", 7.into())])),
        USUAL.record(START, &map([("log", Value::Nil)])),
        USUAL.record(START, &map([("log", "".into())])),
        USUAL.record(START, &map([("log", map([("message", "nested".into())]))])),
        USUAL.record(
            START,
            &Value::Map(vec![(7.into(), "the key is a number".into())]),
        ),
        line(USUAL, 1, "\0\u{1b}[31m\t\u{feff}"),
        line(USUAL, 1, &"x".repeat(1 << 20)),
        line(USUAL, 1, &" long".repeat(200_000)),
    ]
    .concat();
    for before in [odd, broken] {
        let after = host.filter(&before)?.unwrap_or_else(|| before.clone());
        let (mut count, mut reader) = (0, &after[..]);
        while !reader.is_empty() {
            rmpv::decode::read_value_ref(&mut reader)?;
            count += 1;
        }
        let mut reader = &before[..];
        while !reader.is_empty() {
            rmpv::decode::read_value_ref(&mut reader)?;
            count -= 1;
        }
        assert_eq!(count, 0);
    }
    Ok(())
}

#[test]
fn markers_of_groups_are_kept_as_they_are() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    let open = USUAL.record(-1, &map([("resource", "r".into())]));
    let close = USUAL.record(-2, &map([]));
    let before = [open.clone(), line(USUAL, 1, &ordinary(1)), close.clone()].concat();
    let after = host.filter(&before)?.expect("the record gets its template");
    assert!(after.starts_with(&open) && after.ends_with(&close));
    assert_eq!(records(&after).len(), 3);
    Ok(())
}

#[test]
fn what_is_no_chunk_passes_and_is_logged_once() -> Result<()> {
    let mut host = Host::start(&Setup::default())?;
    let whole = chunk(USUAL, 0..3);
    for broken in [
        &b"\xc1"[..],
        b"\x93\x01\x02\x03",
        &whole[..whole.len() - 1],
        &[0xdd; 64],
    ] {
        assert_eq!(host.filter(broken)?, None);
    }
    assert_eq!(host.filter(b"")?, None);
    assert!(host.filter(&whole)?.is_some());
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    let lines: Vec<&str> = log
        .lines()
        .filter(|l| l.contains("a chunk passes unchanged"))
        .collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(
        lines[0].starts_with("[warn] [filter:bellwether:bellwether.0] "),
        "{log}"
    );
    Ok(())
}

#[test]
fn a_disk_that_hangs_holds_up_neither_records_nor_events_and_only_the_saver_waits_for_it()
-> Result<()> {
    let folder = tempfile::tempdir()?;
    let state = format!("state_file={}/state", folder.path().display());
    let mut host = Host::start(&Setup {
        properties: vec!["training=0", &state, "state_interval=1"],
        companion: true,
        slow_disk_sec: Some(600),
        ..Setup::default()
    })?;
    host.filter(&chunk(USUAL, 0..10))?;
    wait(&mut host, "save", |host| Ok(!host.disk_users().is_empty()))?;
    // The first save never ends; everything else goes on.
    host.filter(&failing_now())?;
    wait(&mut host, "event", |host| Ok(!host.collect()?.is_empty()))?;
    let begun = Instant::now();
    host.leave()?;
    let took = begun.elapsed().as_secs();
    assert!((9..20).contains(&took), "the end took {took} s");
    assert_eq!(host.disk_users(), ["bellwether-save"]);
    let log = host.log();
    assert!(
        log.contains("the learned state was not on the disk in time"),
        "{log}"
    );
    Ok(())
}

#[test]
fn after_an_event_the_state_is_saved_though_no_further_record_comes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("state");
    let state = format!("state_file={}", path.display());
    let mut host = Host::start(&Setup {
        properties: vec!["training=0", &state, "state_interval=86400"],
        ..Setup::default()
    })?;
    host.filter(&failing_now())?;
    wait(&mut host, "state", |_| Ok(path.exists()))
}

#[test]
fn what_was_learnt_outlives_the_plugin() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let property = format!("state_file={}", folder.path().join("state").display());
    let mut host = taught(&Setup {
        properties: vec![&property],
        ..Setup::default()
    })?;
    let id_of = |host: &mut Host| -> Result<Value> {
        let after = host.filter(&line(USUAL, 800, &ordinary(800)))?;
        let after = records(&after.expect("it gets its template"));
        Ok(fields(&after[0])["bellwether_template_id"].clone())
    };
    // A second template, so that a number that is kept is told from one that is new.
    host.filter(&line(USUAL, 700, "link eth0 is up at full duplex"))?;
    let id = id_of(&mut host)?;
    for _ in 0..20 {
        host.restart()?;
        assert_eq!(id_of(&mut host)?, id);
    }
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    for file in ["state", "state.risk"] {
        let path = folder.path().join(file);
        let restored = format!("restored the learned state from {}\n", path.display());
        assert_eq!(log.matches(&restored).count(), 20, "{file}: {log}");
    }
    Ok(())
}

/// The host's layouts in the versions that are supported: the bytes of a filter's registration, of an input's, and of an option.
const LAYOUTS: [[&str; 3]; 5] = [
    ["-DFILTER_SIZE=80", "-DINPUT_SIZE=152", "-DSTRIDE=96"],
    ["-DFILTER_SIZE=88", "-DINPUT_SIZE=160", "-DSTRIDE=96"],
    ["-DFILTER_SIZE=88", "-DINPUT_SIZE=208", "-DSTRIDE=96"],
    ["-DFILTER_SIZE=88", "-DINPUT_SIZE=208", "-DSTRIDE=104"],
    ["-DFILTER_SIZE=88", "-DINPUT_SIZE=232", "-DSTRIDE=104"],
];

/// Layouts that no version has so far.
const UNKNOWN_LAYOUTS: [&[&str]; 4] = [
    &["-DFILTER_SIZE=96"],
    &["-DINPUT_SIZE=240"],
    &["-DSTRIDE=112"],
    &["-DNO_PLUGINS"],
];

fn assert_has_all_options(host: &mut Host) -> Result<()> {
    let options = host.options()?;
    for line in [
        "filter text_keys 0 log,message,MESSAGE,msg,",
        "filter window_size 2 ",
        "input queue_length 2 1024 ",
    ] {
        assert!(
            options.lines().any(|l| l.starts_with(line)),
            "{line} in {options}"
        );
    }
    // The last one of the table: nothing is lost at its end.
    let last = options.lines().filter(|l| l.starts_with("filter drain_"));
    assert!(last.count() >= 2, "{options}");
    Ok(())
}

#[test]
fn the_table_of_options_is_read_by_hosts_of_every_known_layout() -> Result<()> {
    for layout in LAYOUTS {
        let mut host = Host::start(&Setup {
            companion: true,
            defines: layout.to_vec(),
            ..Setup::default()
        })?;
        assert_has_all_options(&mut host)?;
        let (status, log) = host.end()?;
        assert_eq!(status, 0, "{log}");
        assert!(!log.contains("interface"), "{log}");
    }
    Ok(())
}

#[test]
fn a_host_of_unknown_layout_is_refused_with_a_sentence_unless_an_option_allows_it() -> Result<()> {
    for layout in UNKNOWN_LAYOUTS {
        let (status, log) = Host::refused(&Setup {
            companion: true,
            defines: layout.to_vec(),
            ..Setup::default()
        })?;
        assert_eq!(status, 3, "{layout:?}: {log}");
        for wanted in [
            "the plugin interface of this program is not one that bellwether knows",
            "tested with Fluent Bit 2.2 to 5.1",
            "set allow_unknown_version on",
        ] {
            assert!(log.contains(wanted), "{layout:?}: {wanted} in {log}");
        }
        let mut host = Host::start(&Setup {
            companion: true,
            defines: layout.to_vec(),
            properties: vec!["allow_unknown_version=on", "input.allow_unknown_version=on"],
            ..Setup::default()
        })?;
        // Where there is nothing to measure the options are as far apart as in the newest version.
        assert_has_all_options(&mut host)?;
        let after = host.filter(&line(USUAL, 1, &ordinary(1)))?;
        assert!(after.is_some(), "{layout:?}");
        let (status, log) = host.end()?;
        assert_eq!(status, 0, "{layout:?}: {log}");
        assert!(log.contains("starting all the same"), "{layout:?}: {log}");
    }
    Ok(())
}

#[test]
fn a_host_that_cannot_be_used_is_refused_whatever_the_options_say() -> Result<()> {
    for (layout, why) in [
        (
            &["-DFILTER_SIZE=72", "-DINPUT_SIZE=152", "-DSTRIDE=96"][..],
            "too old",
        ),
        (&["-DMOVED"], "not one that bellwether knows"),
    ] {
        for companion in [false, true] {
            let (status, log) = Host::refused(&Setup {
                companion,
                defines: layout.to_vec(),
                properties: vec!["allow_unknown_version=on"],
                ..Setup::default()
            })?;
            assert_eq!(status, 3, "{layout:?}: {log}");
            assert!(
                log.contains(why) && log.contains("2.2 to 5.1"),
                "{layout:?}: {log}"
            );
            assert_eq!(log.lines().count(), 1, "{layout:?}: {log}");
        }
    }
    Ok(())
}

#[test]
fn a_malloc_that_aligns_to_8_bytes_only_does_no_harm() -> Result<()> {
    let mut host = Host::start(&Setup {
        companion: true,
        malloc8: true,
        ..Setup::default()
    })?;
    for encoding in encodings() {
        assert!(host.filter(&chunk(encoding, 0..200))?.is_some());
    }
    // Streams, templates and windows enough that every table has to grow.
    for n in 0..3000 {
        let text = format!("unit {} of kind{} is {}", n, n % 97, "word ".repeat(n % 11));
        let pairs = map([
            ("log", text.as_str().into()),
            ("host", format!("node{}", n % 50).into()),
        ]);
        host.filter(&USUAL.record(START + n as i64, &pairs))?;
    }
    host.filter(&line(USUAL, 4000, FAILING))?;
    assert!(!host.collect()?.is_empty(), "the failure is an event");
    host.restart()?;
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    Ok(())
}

#[test]
fn a_bad_configuration_stops_the_start_and_says_what_would_be_right() -> Result<()> {
    let cases: [(&[&str], &[&str]); 7] = [
        (
            &["windw_size=4"],
            &["unknown configuration property 'windw_size"],
        ),
        (
            &["record_keys=templates", "state_interval=0", "window_size=0"],
            &[
                "[error] [filter:bellwether:bellwether.0] option \"record_keys\": \"templates\" is not allowed",
                "(did you mean template?)",
                "option \"state_interval\": \"0\" is not allowed; it takes 1 to 86400 (seconds)",
                "option \"window_size\": \"0\" is not allowed; it takes 1 to",
            ],
        ),
        (
            &["mode=paper", "anomaly_threshold=0.01"],
            &["similarity_threshold"],
        ),
        (&["lexicon=/nowhere/at/all"], &["/nowhere/at/all"]),
        (
            &["text_keys=$log[", "priority_keys=log['level']"],
            &[
                "option \"text_keys\": \"$log[\" is not allowed; it takes 1 to 16 keys separated by commas, as log or \
                 $log['message'] (a [ of \"$log[\" is not closed by ])",
                "option \"priority_keys\": \"log['level']\" is not allowed; it takes 1 to 16 keys",
                "(did you mean $log['level']?)",
            ],
        ),
        (
            &["input.queue_length=0"],
            &["[input:bellwether:bellwether.1] option \"queue_length\""],
        ),
        (
            &["input.queue=7"],
            &["unknown configuration property 'queue"],
        ),
    ];
    for (properties, wanted) in cases {
        let (status, log) = Host::refused(&Setup {
            properties: properties.to_vec(),
            companion: true,
            ..Setup::default()
        })?;
        assert_eq!(status, 3, "{properties:?}: {log}");
        for wanted in wanted {
            assert!(log.contains(wanted), "{wanted} in {log}");
        }
    }
    Ok(())
}

#[test]
fn without_its_library_it_says_so() -> Result<()> {
    let (status, log) = Host::refused(&Setup {
        without_library: true,
        properties: vec!["window_size=4"],
        ..Setup::default()
    })?;
    ensure!(status == 3 || status == 0, "{log}");
    // An installed library is found in the system's folders.
    if status == 3 {
        for wanted in [
            "libbellwether.so.0 cannot be loaded; tried /",
            "/libbellwether.so.0: no such file; ",
            "the system's libraries: ",
            // The host refuses an option that it does not know before the filter can say why.
            "the detector's options are unknown without it, and the filter does not start",
        ] {
            assert!(log.contains(wanted), "{wanted} in {log}");
        }
    }
    Ok(())
}

#[test]
fn help_lists_the_plugins_own_options_without_its_library() -> Result<()> {
    let setup = Setup {
        without_library: true,
        defines: vec!["-DHELP_ONLY"],
        ..Setup::default()
    };
    let mut host = Host::start(&setup)?;
    let options = host.options()?;
    if options.contains("filter window_size ") {
        skipped("libbellwether.so.0 is installed on this system, so it cannot be missing");
        return Ok(());
    }
    for line in [
        "filter text_keys 0 ",
        "filter state_file 0 ",
        "filter (libbellwether.so.0) 0 - Missing: the detector's options are not listed, and the filter does not start.",
    ] {
        assert!(
            options.lines().any(|l| l.starts_with(line)),
            "{line} in {options}"
        );
    }
    Ok(())
}

#[test]
fn a_plugin_that_is_a_link_finds_its_library_beside_the_link_and_beside_the_file() -> Result<()> {
    let installed = Host::start(&Setup::default())?;
    let build = installed.folder();
    for (library, plugin) in [
        ("links", "files/plugin.so"),
        ("files", "files/plugin.so"),
        (".", "files/plugin.so"),
        ("deep", "deep/files/plugin.so"),
    ] {
        let folder = tempfile::tempdir()?;
        let links = folder.path().join("links");
        fs::create_dir(&links)?;
        fs::create_dir_all(folder.path().join("deep/files"))?;
        fs::create_dir(folder.path().join("files"))?;
        let plugin = folder.path().join(plugin);
        fs::copy(build.join("flb-filter_bellwether.so"), &plugin)?;
        symlink(&plugin, links.join("flb-filter_bellwether.so"))?;
        let name = "libbellwether.so.0";
        fs::copy(build.join(name), folder.path().join(library).join(name))?;
        let mut host = Host::start(&Setup {
            plugins: Some(&links),
            ..Setup::default()
        })?;
        let after = host.filter(&chunk(USUAL, 0..3))?;
        assert!(after.is_some(), "{library}: {}", host.log());
    }
    Ok(())
}

#[test]
fn a_library_that_every_user_could_have_put_there_is_not_loaded() -> Result<()> {
    let installed = Host::start(&Setup::default())?;
    let folder = tempfile::tempdir()?;
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins)?;
    for name in ["flb-filter_bellwether.so", "libbellwether.so.0"] {
        let place = if name.starts_with("lib") {
            folder.path()
        } else {
            &plugins
        };
        fs::copy(installed.folder().join(name), place.join(name))?;
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777))?;
    let (_, log) = Host::refused(&Setup {
        plugins: Some(&plugins),
        ..Setup::default()
    })?;
    let wanted = format!("every user may write to {}", folder.path().display());
    assert!(log.contains(&wanted), "{wanted} in {log}");
    Ok(())
}

#[test]
fn the_folder_of_the_state_is_created_or_the_start_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bellwether/state");
    let property = format!("state_file={}", path.display());
    let host = taught(&Setup {
        properties: vec![&property],
        ..Setup::default()
    })?;
    let (status, log) = host.end()?;
    assert!(status == 0 && path.exists(), "{log}");
    let mode = fs::metadata(path.parent().expect("it has a folder"))?.mode();
    assert_eq!(mode & 0o027, 0, "{mode:o}");
    for (path, reason) in [
        (
            "/proc/bellwether/state",
            "snapshot /proc/bellwether/state: its folder /proc/bellwether does not exist and cannot be created: ",
        ),
        (
            "/proc/bellwether.state",
            "snapshot /proc/bellwether.state: its folder /proc cannot be written to: ",
        ),
        ("/dev/null", "snapshot /dev/null: it is not a regular file"),
    ] {
        let property = format!("state_file={path}");
        let (status, log) = Host::refused(&Setup {
            properties: vec![&property],
            ..Setup::default()
        })?;
        let wanted =
            format!("[error] [filter:bellwether:bellwether.0] option \"state_file\": {reason}");
        assert!(status == 3 && log.contains(&wanted), "{wanted} in {log}");
    }
    Ok(())
}

#[test]
fn a_state_file_that_is_mounted_is_written_in_place_with_one_warning() -> Result<()> {
    if let Err(reason) = mount::possible() {
        skipped(reason);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (source, state) = (folder.path().join("volume"), folder.path().join("state"));
    // As `docker run --volume ./state:/state` has them: there before the first start, and empty.
    for file in [&source, &state] {
        fs::write(file, "")?;
    }
    let property = format!("state_file={}", state.display());
    let setup = Setup {
        properties: vec![&property],
        mounts: vec![(source.clone(), state.clone())],
        ..Setup::default()
    };
    for begins in ["no learned state in", "restored the learned state from"] {
        let mut host = taught(&setup)?;
        host.restart()?;
        host.filter(&chunk(USUAL, 900..910))?;
        let (status, log) = host.end()?;
        assert_eq!(status, 0, "{log}");
        assert!(log.contains(begins), "{begins} in {log}");
        assert!(!log.contains("starting without"), "{log}");
        // Once for each start, however often it is saved.
        assert_eq!(log.matches("is overwritten in place").count(), 2, "{log}");
        assert_eq!(log.matches("[warn]").count(), 2, "{log}");
        assert!(fs::read(&source)?.starts_with(b"BELLWTHR"), "{log}");
    }
    let left: Vec<_> = fs::read_dir(folder.path())?.collect::<std::io::Result<_>>()?;
    // That of the risk is beside it.
    assert_eq!(left.len(), 3, "{left:?}");
    Ok(())
}

#[test]
fn a_damaged_state_file_that_is_mounted_is_kept_as_a_copy() -> Result<()> {
    if let Err(reason) = mount::possible() {
        skipped(reason);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (source, state) = (folder.path().join("volume"), folder.path().join("state"));
    fs::write(&source, "BELLWTHR and no more of it")?;
    fs::write(&state, "")?;
    let property = format!("state_file={}", state.display());
    let host = taught(&Setup {
        properties: vec![&property],
        mounts: vec![(source.clone(), state.clone())],
        ..Setup::default()
    })?;
    let (_, log) = host.end()?;
    let kept = folder.path().join("state.unusable");
    let wanted = format!("kept as {}", kept.display());
    assert!(log.contains(&wanted), "{wanted} in {log}");
    assert_eq!(fs::read(kept)?, b"BELLWTHR and no more of it");
    assert!(
        fs::read(&source)?.len() > 100,
        "the new state is in its place"
    );
    Ok(())
}

#[test]
fn processors_are_told_apart_by_their_inputs() -> Result<()> {
    for (defines, names) in [
        ("-DPROCESSORS=0", ["bellwether@tail.1", "bellwether@tail.0"]),
        (
            "-DPROCESSORS=1",
            ["bellwether@tail.0", "bellwether@tail.0#2"],
        ),
    ] {
        let mut host = Host::start(&Setup {
            companion: true,
            defines: vec![defines],
            properties: vec!["debug=on"],
            ..Setup::default()
        })?;
        host.filter(&chunk(USUAL, 0..20))?;
        host.second(&chunk(USUAL, 0..30))?;
        std::thread::sleep(Duration::from_millis(1100));
        host.filter(&chunk(USUAL, 20..21))?;
        host.second(&[chunk(USUAL, 30..31), line(USUAL, 40, FAILING)].concat())?;
        host.collect()?;
        std::thread::sleep(Duration::from_millis(1100));
        host.collect()?;
        let metrics = host.metrics()?;
        let records: Vec<&str> = metrics
            .lines()
            .filter_map(|l| l.strip_prefix("bellwether_filter_records_total"))
            .collect();
        // The second one starts first.
        let wanted = [(names[0], 32), (names[1], 21)].map(|(n, count)| format!("{{{n}}} {count}"));
        for wanted in &wanted {
            assert!(
                records.contains(&wanted.as_str()),
                "{wanted} in {records:?}"
            );
        }
        assert_eq!(records.len(), 2, "{records:?}");
        let (status, log) = host.end()?;
        assert_eq!(status, 0, "{log}");
        let flagged = log
            .lines()
            .find(|l| l.contains(FAILING))
            .unwrap_or_default();
        let wanted = format!("[filter:bellwether:{}] ", names[0]);
        assert!(flagged.contains(&wanted), "{wanted} in {flagged}");
    }
    Ok(())
}

#[test]
fn a_second_companion_input_is_refused() -> Result<()> {
    let (status, log) = Host::refused(&Setup {
        companion: true,
        defines: vec!["-DSECOND_COMPANION"],
        ..Setup::default()
    })?;
    let wanted = "[error] [input:bellwether:bellwether.2] the input bellwether.1 of this pipeline takes its events already: \
                  remove one of the two";
    assert!(status == 3 && log.contains(wanted), "{log}");
    // A reload is no second one.
    let mut host = Host::start(&Setup {
        companion: true,
        ..Setup::default()
    })?;
    for _ in 0..3 {
        host.restart()?;
    }
    assert_eq!(host.end()?.0, 0);
    Ok(())
}

#[test]
fn the_debug_option_logs_what_was_found() -> Result<()> {
    let mut host = taught(&Setup {
        properties: vec!["debug=on"],
        ..Setup::default()
    })?;
    host.filter(&line(USUAL, 600, FAILING))?;
    let (_, log) = host.end()?;
    let found = log.lines().find(|l| l.contains(FAILING));
    let found = found.unwrap_or_else(|| panic!("{log}"));
    assert!(found.contains("family storage"), "{found}");
    Ok(())
}

#[test]
fn valgrind_finds_no_error_in_chunks_of_every_encoding() -> Result<()> {
    if !installed("valgrind") {
        skipped("there is no valgrind");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let property = format!("state_file={}", folder.path().join("state").display());
    let mut host = Host::start(&Setup {
        properties: vec![&property],
        companion: true,
        valgrind: true,
        ..Setup::default()
    })?;
    for encoding in encodings() {
        host.filter(&chunk(encoding, 0..20))?;
    }
    host.filter(&line(USUAL, 600, FAILING))?;
    host.collect()?;
    let whole = chunk(USUAL, 0..3);
    for end in (0..whole.len()).step_by(7) {
        host.filter(&whole[..end])?;
    }
    host.restart()?;
    host.filter(&whole)?;
    let (status, log) = host.end()?;
    assert_eq!(status, 0, "{log}");
    Ok(())
}

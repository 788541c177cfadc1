//! The library is found, loaded and used; where that cannot be, a message says why.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use bellwether_sys::{
    Change, DrainOptions, ErrorKind, Fate, Had, HadOptions, LIBRARY_NAME, Lad, LadOptions, Library,
    Observation, Outcome, Record, RecordOutcome, ResourceOptions, RiskObservation, RiskOptions,
    RiskOutcome, RiskSource, Row, RowOutcome, Transport, Value, Verdict, Way, Window, own_folders,
};

fn library() -> Library {
    Library::load(own_folders()).expect("the library is beside the tests")
}

fn sample(time: f64) -> Observation<'static> {
    Observation {
        hypervisor: "host-1",
        vm: "vm-1",
        metric: "cpu",
        time,
        interval: 10.0,
        value: 12.5,
    }
}

#[test]
fn the_library_beside_the_program_is_taken() {
    let library = library();
    assert!(library.path().ends_with(LIBRARY_NAME) && library.path().is_absolute());
    assert_eq!(library.version(), env!("CARGO_PKG_VERSION"));
}

/// Runs this test in a process without cargo's search path, in which the library of this build is; whether that was done.
fn done_without_search_path(test: &str) -> bool {
    const PATH: &str = "LD_LIBRARY_PATH";
    if std::env::var_os(PATH).is_none() {
        return false;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env_remove(PATH)
        .output()
        .unwrap();
    let _ = std::io::stderr().write_all(&output.stderr);
    assert!(output.status.success(), "{output:?}");
    true
}

/// Whether the system has a library of its own, so that none can be missing. Said straight to the standard error: the harness keeps
/// what a passing test prints to itself.
fn installed() -> bool {
    let found = Library::load(&[]).is_ok();
    if found {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: {LIBRARY_NAME} is installed on this system, so it cannot be missing"
        );
    }
    found
}

/// A folder "plugins" within one of its own, where a library can lie in either.
fn nested() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins).unwrap();
    (folder, plugins)
}

/// What the linker of C makes of `source`, as a library in `folder`.
fn compile(source: &str, folder: &Path) {
    let c = folder.join("library.c");
    fs::write(&c, source).unwrap();
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,-soname", LIBRARY_NAME, "-o"])
        .arg(folder.join(LIBRARY_NAME))
        .arg(&c)
        .status()
        .expect("there is a C compiler");
    assert!(compiled.success());
}

/// The library of this build.
fn built() -> PathBuf {
    let library = library();
    library.path().canonicalize().unwrap()
}

#[test]
fn a_missing_library_is_reported_with_every_place_that_was_tried() {
    if done_without_search_path("a_missing_library_is_reported_with_every_place_that_was_tried")
        || installed()
    {
        return;
    }
    let (folder, plugins) = nested();
    let message = Library::load(std::slice::from_ref(&plugins)).unwrap_err();
    let places = [&plugins, folder.path()].map(|f| f.join(LIBRARY_NAME));
    let [near, above] = places.each_ref().map(|p| p.display());
    let wanted = format!(
        "{LIBRARY_NAME} cannot be loaded; tried {near}: no such file; {above}: no such file; the system's libraries: "
    );
    assert!(
        message.starts_with(&wanted) && message.contains("cannot open shared object file"),
        "{message}"
    );
    assert!(!message.contains('\n'), "{message}");
}

#[test]
fn the_library_in_the_folder_above_is_taken() {
    let (folder, plugins) = nested();
    let above = folder.path().join(LIBRARY_NAME);
    fs::copy(built(), &above).unwrap();
    let library = Library::load(&[plugins]).unwrap();
    assert_eq!((library.path(), library.passed_over()), (&*above, &[][..]));
}

#[test]
fn what_cannot_be_used_is_passed_over_and_named() {
    let (folder, plugins) = nested();
    fs::copy(built(), folder.path().join(LIBRARY_NAME)).unwrap();
    // One of another machine: a whole ELF file but for the number of its class.
    let mut foreign = fs::read(built()).unwrap();
    foreign[4] = 1;
    let link = plugins.join("link");
    symlink("/nowhere/at/all", &link).unwrap();
    let old = plugins.join("old");
    fs::create_dir(&old).unwrap();
    compile("unsigned bw_abi_version(void) { return 1; }", &old);
    let place = plugins.join(LIBRARY_NAME);
    let put: [(&str, &dyn Fn()); 4] = [
        ("wrong ELF class: ELFCLASS32", &|| {
            fs::write(&place, &foreign).unwrap()
        }),
        ("file too short", &|| fs::write(&place, "\x7fELF").unwrap()),
        ("it is a link to /nowhere/at/all: No such file", &|| {
            fs::rename(&link, &place).unwrap();
        }),
        ("of version 1, and at least", &|| {
            fs::rename(old.join(LIBRARY_NAME), &place).unwrap();
        }),
    ];
    for (why, put) in put {
        put();
        let library = Library::load(std::slice::from_ref(&plugins)).unwrap();
        assert_eq!(library.version(), env!("CARGO_PKG_VERSION"), "{why}");
        let named = library.passed_over().join("\n");
        let start = format!("{}: ", place.display());
        assert!(named.starts_with(&start) && named.contains(why), "{named}");
        fs::remove_file(&place).unwrap();
    }
}

#[test]
fn a_damaged_library_that_is_the_only_one_is_reported() {
    if done_without_search_path("a_damaged_library_that_is_the_only_one_is_reported") || installed()
    {
        return;
    }
    let (_folder, plugins) = nested();
    let path = plugins.join(LIBRARY_NAME);
    fs::write(&path, "not a shared object").unwrap();
    let message = Library::load(&[plugins]).unwrap_err();
    let wanted = format!("{}: file too short", path.display());
    assert!(message.contains(&wanted), "{wanted} in {message}");
}

#[test]
fn a_library_that_every_user_could_have_put_there_is_passed_over() {
    let (folder, plugins) = nested();
    for folder in [folder.path(), &plugins] {
        fs::copy(built(), folder.join(LIBRARY_NAME)).unwrap();
    }
    let all = fs::Permissions::from_mode(0o777);
    fs::set_permissions(plugins.join(LIBRARY_NAME), all).unwrap();
    let library = Library::load(std::slice::from_ref(&plugins)).unwrap();
    assert_eq!(library.path(), folder.path().join(LIBRARY_NAME));
    let named = library.passed_over().join("\n");
    assert!(named.contains("every user may write to"), "{named}");
}

#[test]
fn a_library_in_a_folder_that_every_user_may_write_to_is_refused() {
    if done_without_search_path("a_library_in_a_folder_that_every_user_may_write_to_is_refused")
        || installed()
    {
        return;
    }
    let (folder, plugins) = nested();
    // Never loaded: whose folder it is in is looked at before what it is.
    fs::write(folder.path().join(LIBRARY_NAME), "").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let message = Library::load(&[plugins]).unwrap_err();
    let wanted = format!("every user may write to {};", folder.path().display());
    assert!(message.contains(&wanted), "{wanted} in {message}");
}

#[test]
fn a_relative_folder_is_not_looked_into() {
    if done_without_search_path("a_relative_folder_is_not_looked_into") {
        return;
    }
    if !installed() {
        let message = Library::load(&["target".into(), ".".into()]).unwrap_err();
        assert!(!message.contains("no such file"), "{message}");
    }
}

#[test]
fn a_library_that_is_too_old_or_of_another_soname_or_not_bellwether_is_refused() {
    if done_without_search_path(
        "a_library_that_is_too_old_or_of_another_soname_or_not_bellwether_is_refused",
    ) || installed()
    {
        return;
    }
    for (source, why) in [
        (
            "unsigned bw_abi_version(void) { return 1; }",
            "its interface is of version 1, and at least 7 is needed; it is older than what loads it",
        ),
        (
            "unsigned bw_abi_version(void) { return 65535; }",
            "it is incomplete: ",
        ),
        (
            "unsigned bw_abi_version(void) { return 65541; }",
            "its interface is that of libbellwether.so.1, and libbellwether.so.0 is needed; its file was renamed",
        ),
        ("int nothing;", "it is not bellwether: "),
    ] {
        let folder = tempfile::tempdir().unwrap();
        compile(source, folder.path());
        let message = Library::load(&[folder.path().to_owned()]).unwrap_err();
        assert!(message.contains(why), "{why} in {message}");
    }
}

#[test]
fn state_is_prepared_without_touching_it_and_its_folder_is_created() {
    let library = library();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bellwether/state");
    assert_eq!(library.prepare_state(&path), Ok(Way::Replaced));
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    let error = library
        .prepare_state(Path::new("/proc/no/state"))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let wanted =
        "snapshot /proc/no/state: its folder /proc/no does not exist and cannot be created: ";
    assert!(error.to_string().starts_with(wanted), "{error}");
}

#[test]
fn errors_have_a_kind_and_a_message_that_says_what_would_be_right() {
    let library = library();
    let mut options = HadOptions::new(&library);
    let error = options.set("windowlong_sz", "3").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("window_long_sz"), "{error}");
    assert_eq!(error.option(), Some("windowlong_sz"));
    assert_eq!(error.reason(), error.to_string());
    let error = options.set("max_vms", "no").unwrap_err();
    assert_eq!(error.option(), Some("max_vms"));
    assert!(
        error.reason().starts_with("\"no\" is not allowed"),
        "{error:?}"
    );
    let error = options.set("a\0b", "3").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(error.option(), None);

    options.set("interval", "100").unwrap();
    options.set("forget_sec", "100").unwrap();
    let error = library.had(&options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    assert!(error.to_string().contains("forget_sec"), "{error}");
}

#[test]
fn every_option_is_described_and_takes_its_own_default() {
    let library = library();
    let mut options = HadOptions::new(&library);
    let described = options.described().unwrap();
    assert!(described.iter().any(|option| option.name == "algorithm"));
    for option in described {
        options
            .set(&option.name, &option.default)
            .expect(&option.name);
        assert!(
            !option.allowed.is_empty() && !option.help.is_empty(),
            "{option:?}"
        );
    }
}

#[test]
fn what_cannot_be_an_observation_is_an_outcome_and_no_error() {
    let library = library();
    let mut had = library.had(&HadOptions::new(&library)).unwrap();
    let mut other = sample(1e9);
    other.metric = "no such metric";
    assert_eq!(had.observe(&other).unwrap(), Outcome::Ignored);
    had.advance(2e9).unwrap();
    assert!(had.next_event().is_none());
}

#[test]
fn a_detector_goes_on_in_another_thread_after_its_library_value_is_dropped() {
    let mut had = {
        let library = library();
        library.had(&HadOptions::new(&library)).unwrap()
    };
    std::thread::spawn(move || {
        had.observe(&sample(1e9)).unwrap();
        assert_eq!(had.statuses().filter(|status| status.raised).count(), 0);
    })
    .join()
    .unwrap();
}

/// Lets eight VMs of one host report samples of about `level` percent at these ticks.
fn feed(had: &mut Had, ticks: std::ops::Range<u32>, level: f64) {
    for tick in ticks {
        for vm in 0..8 {
            let name = format!("vm-{vm}");
            let noise = f64::from((tick * 8 + vm).wrapping_mul(2_654_435_761) >> 16) / 65_536.0;
            let mut sample = sample(1.7e9 + 10.0 * f64::from(tick));
            sample.vm = &name;
            sample.value = level * (1.0 + 0.05 * noise);
            assert_eq!(had.observe(&sample).unwrap(), Outcome::Taken);
        }
    }
}

#[test]
fn what_was_learned_survives_a_restart_and_raises_an_event_that_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let library = library();
    let options = HadOptions::new(&library);

    let mut had = library.had(&options).unwrap();
    assert!(!had.load(&path).unwrap());
    feed(&mut had, 0..80, 20.0);
    assert!(had.next_event().is_none());
    had.save(&path).unwrap();
    drop(had);

    let mut had = library.had(&options).unwrap();
    assert!(had.load(&path).unwrap());
    assert_eq!(had.counters().unwrap().taken, 640);
    feed(&mut had, 80..95, 60.0);
    let status = had.statuses().next().unwrap();
    assert_eq!(
        (status.hypervisor, status.metric, status.vms),
        ("host-1", "cpu", 8)
    );
    assert!(status.raised);

    let event = had.next_event().unwrap();
    assert_eq!(event.text("state"), Some("raised"));
    assert_eq!(event.text("hypervisor"), Some("host-1"));
    assert_eq!(event.number("vms"), Some(8.0));
    assert_eq!(event.number("hypervisor"), None);
    assert_eq!(event.text("no such key"), None);
    assert!(event.json().contains("\"state\":\"raised\""), "{event:?}");
    let fields: Vec<_> = event.fields().collect();
    assert_eq!(fields[0].key, "event");
    assert_eq!(fields[0].value, Value::Text("hypervisor_anomaly"));
    assert_eq!(event.get("schema").unwrap().value, Value::Integer(1));
    assert_eq!(event.get("provisional").unwrap().value, Value::Flag(true));
    let score = event.get("score").unwrap();
    assert!(matches!(score.value, Value::Number(n) if n.to_string() == score.text));

    fs::write(&path, "not a snapshot").unwrap();
    let error = had.load(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SnapshotUnusable);
    assert_eq!(had.load(folder.path()).unwrap_err().kind(), ErrorKind::Io);
}

#[test]
fn a_masked_vm_abstains() {
    let library = library();
    let mut had = library.had(&HadOptions::new(&library)).unwrap();
    had.observe(&sample(1e9)).unwrap();
    had.mask("host-1", "vm-1", true).unwrap();
    assert_eq!(had.observe(&sample(1e9 + 10.0)).unwrap(), Outcome::Masked);
    had.mask("host-1", "vm-1", false).unwrap();
    assert_eq!(had.observe(&sample(1e9 + 20.0)).unwrap(), Outcome::Taken);
    assert_eq!(
        had.mask("a\0b", "vm-1", true).unwrap_err().kind(),
        ErrorKind::InvalidArgument
    );
}

#[test]
fn a_hypervisor_in_maintenance_is_masked_until_its_window_is_removed() {
    let library = library();
    let mut had = library.had(&HadOptions::new(&library)).unwrap();
    let window = |hypervisor: &str, until| Window {
        hypervisor: hypervisor.into(),
        from: 1e9,
        until,
    };
    assert_eq!(had.windows(), []);
    had.mask_hypervisor(&window("host-*", 2e9)).unwrap();
    had.mask_hypervisor(&window("a", 3e9)).unwrap();
    assert_eq!(had.windows(), [window("a", 3e9), window("host-*", 2e9)]);
    assert_eq!(had.observe(&sample(1e9)).unwrap(), Outcome::Masked);
    had.advance_hypervisor("host-1", 1e9 + 10.0).unwrap();
    assert!(had.statuses().all(|status| status.masked));
    had.unmask_hypervisor("host-*").unwrap();
    assert_eq!(had.observe(&sample(1e9 + 10.0)).unwrap(), Outcome::Taken);
    let error = had.mask_hypervisor(&window("a", 1e9)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert_eq!(error.to_string(), "the end is not after the start");
}

/// Whether a record of "host-1" with that text reports a failure, and the number of its template.
fn failure(lad: &mut Lad, text: &str) -> (bool, u64) {
    let observed = lad
        .observe(&Record {
            stream: "host-1",
            time: 1.7e9,
            text: text.as_bytes(),
            priority: Some(4),
            program: b"kernel",
            unit: b"",
            tag: b"host",
            transport: Transport::Kernel,
        })
        .unwrap();
    assert_eq!(observed.outcome, RecordOutcome::Taken);
    assert!(observed.template.is_some());
    (observed.failure, observed.template_id)
}

#[test]
fn records_of_logs_become_events() {
    let library = library();
    let mut options = LadOptions::new(&library);
    let error = options.set("trainin", "10").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOption);
    options.set("training", "10").unwrap();
    let described = options.described().unwrap();
    assert!(described.iter().any(|o| o.name == "drain_depth"));
    let mut lad = library.lad(&options).unwrap();
    for _ in 0..20 {
        assert!(!failure(&mut lad, "session opened for user root").0);
    }
    let (failing, id) = failure(
        &mut lad,
        "Buffer I/O error on dev sda1, logical block 7, async page read",
    );
    assert!(failing);
    assert!(
        lad.template("host-1", id)
            .unwrap()
            .contains("Buffer I/O error")
    );
    let event = lad.next_event().unwrap();
    assert_eq!(event.text("event"), Some("log_failure"));
    assert_eq!(event.number("template_id"), Some(id as f64));
    assert!(lad.next_event().is_none());

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert!(!lad.load(&path).unwrap());
    lad.save(&path).unwrap();
    let mut restarted = library.lad(&options).unwrap();
    assert!(restarted.load(&path).unwrap());
    assert_eq!(restarted.counters().unwrap().episodes, 1);
    assert!(restarted.feedback("host-1", id, Verdict::Benign).unwrap());
    assert!(!restarted.feedback("host-2", id, Verdict::Benign).unwrap());
    assert_eq!(
        restarted.next_event().unwrap().text("state"),
        Some("cleared")
    );
    restarted.advance(1.8e9).unwrap();
    assert_eq!(restarted.counters().unwrap().streams, 0);
}

#[test]
fn rows_of_resources_become_p_values_with_the_signals_that_decide() {
    let library = library();
    let signals = library.resource_signals();
    assert_eq!(signals[0], ("cpu_busy", "share"));
    let memory = signals.iter().position(|(name, _)| *name == "memory_used");
    let memory = memory.expect("there is such a signal");
    let mut resource = library.resource(&ResourceOptions::new(&library)).unwrap();
    let mut last = None;
    for minute in 0..1500_u32 {
        let mut values = vec![0.2 + 0.01 * f64::from(minute * 7 % 11); signals.len()];
        values[memory] = if minute < 1495 { 0.5 } else { 0.99 };
        let row = Row {
            hypervisor: "kvm1",
            time: 1e9 + 60.0 * f64::from(minute),
            interval: 60.0,
            values: &values,
        };
        let (outcome, unusual) = resource.observe(&row).unwrap();
        assert_eq!(outcome, RowOutcome::Taken);
        last = Some(unusual);
    }
    let last = last.unwrap();
    assert!(last.raised && last.p_value < 0.001, "{last:?}");
    assert_eq!(last.deciding()[0].signal, memory);
    let status = resource.statuses().next().unwrap();
    assert_eq!((status.hypervisor, status.unusual), ("kvm1", last));
    let many = vec![0.0; signals.len() + 1];
    let row = Row {
        hypervisor: "kvm1",
        time: 2e9,
        interval: 60.0,
        values: &many,
    };
    let error = resource.observe(&row).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("values_len"), "{error}");
}

#[test]
fn lines_become_templates() {
    let library = library();
    let mut options = DrainOptions::new(&library);
    let described = options.described().unwrap();
    assert!(described.iter().any(|o| o.name == "sim_th"));
    options.set("depth", "4").unwrap();
    let mut drain = library.drain(&options).unwrap();
    let (id, change) = drain.add(b"disk sda is 93 percent full").unwrap();
    assert_eq!(change, Change::New);
    assert_eq!(
        drain.add(b"disk sdb is 94 percent full").unwrap(),
        (id, Change::Template)
    );
    assert_eq!(
        drain.template(id),
        Some("disk <:*:> is <:NUM:> percent full")
    );
    let values: Vec<&str> = drain
        .parameters(id, b"disk sdc is 95 percent full")
        .collect();
    assert_eq!(values, ["sdc", "95"]);
    assert_eq!(drain.template(id + 1), None);
}

#[test]
fn a_log_and_an_anomaly_together_put_a_host_at_risk() {
    let library = library();
    let mut lad = library.lad(&LadOptions::new(&library)).unwrap();
    for minute in 0..5 {
        let text = "Buffer I/O error on dev sda1, logical block 7, async page read";
        let record = Record {
            stream: "host-1",
            time: 1.7e9 + 60.0 * f64::from(minute),
            text: text.as_bytes(),
            priority: Some(4),
            program: b"kernel",
            unit: b"",
            tag: b"host",
            transport: Transport::Kernel,
        };
        lad.observe(&record).unwrap();
    }
    let now = 1.7e9 + 240.0;
    let log = lad.statuses(now).next().unwrap();
    assert_eq!((log.stream, log.failure_minutes), ("host-1", 5));
    assert_eq!((log.unseen, log.last), (None, now));

    let mut risk = library.risk(&RiskOptions::new(&library)).unwrap();
    let mut observe = |source, measure| {
        let observed = risk.observe(&RiskObservation {
            hypervisor: "host-1",
            time: now,
            source,
            measure,
            provisional: false,
        });
        observed.unwrap()
    };
    let minutes = f64::from(log.failure_minutes);
    assert!(!observe(RiskSource::Log, minutes).raised);
    let observed = observe(RiskSource::Had, 30.0);
    assert_eq!(observed.outcome, RiskOutcome::Taken);
    assert!(observed.raised && observed.risk_10min > 0.5);
    let status = risk.statuses().next().unwrap();
    assert!(status.raised && status.risk_30min >= status.risk_10min);
    assert_eq!(status.state, [3, 2, -1, -1]);
    let event = risk.next_event().unwrap();
    assert_eq!(event.text("event"), Some("failure_risk"));
    assert!(risk.outcome("host-1", now, Fate::Failed).unwrap());
    assert!(!risk.outcome("host-2", now, Fate::Failed).unwrap());
    assert_eq!(risk.counters().unwrap().raised, 1);
}

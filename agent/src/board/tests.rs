use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::format::{FILE_BYTES, HEADER_BYTES, RECORD_BYTES};
use super::*;

fn reading(source: RiskSource, time: f64, measure: f64) -> Reading {
    Reading {
        source,
        time,
        measure,
        provisional: false,
    }
}

/// A folder, as an operator makes it.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn writer(folder: &TempDir, half: Half) -> Writer {
    let mut writer = Writer::new(folder.path(), half);
    assert!(writer.begin().unwrap());
    writer
}

type Found = Vec<(String, Vec<Reading>)>;

fn try_read(reader: &mut Reader) -> Result<Option<(Board, Found)>, BoardError> {
    let mut found = Found::new();
    let board = reader.read(|name, readings| found.push((name.to_owned(), readings.collect())))?;
    Ok(board.map(|board| (board, found)))
}

fn read(reader: &mut Reader) -> Found {
    let (board, found) = try_read(reader).unwrap().expect("somebody publishes");
    assert_eq!((board.hosts, board.damaged), (found.len(), 0));
    found
}

#[test]
fn what_one_half_publishes_the_other_reads() {
    let folder = folder();
    let mut metrics = writer(&folder, Half::Metrics);
    let mut reader = Reader::new(folder.path(), Half::Metrics);
    assert_eq!(read(&mut reader), []);
    let had = Reading {
        provisional: true,
        ..reading(RiskSource::Had, 1_000.0, 30.5)
    };
    let resource = reading(RiskSource::Resource, 990.0, 1e-4);
    let published = metrics.publish("kvm1", 1_000.0, &[had, resource]).unwrap();
    assert_eq!(published, Publishing::Done);
    metrics.publish("kvm2", 1_000.0, &[]).unwrap();
    let kvm1 = ("kvm1".to_owned(), vec![had, resource]);
    assert_eq!(read(&mut reader), [kvm1, ("kvm2".to_owned(), vec![])]);
    // What is published again replaces what was there.
    let had = reading(RiskSource::Had, 1_010.0, -1.0);
    metrics.publish("kvm1", 1_010.0, &[had]).unwrap();
    assert_eq!(read(&mut reader)[0], ("kvm1".to_owned(), vec![had]));
}

#[test]
fn without_a_folder_there_is_no_board_until_somebody_makes_one() {
    let folder = folder();
    let path = folder.path().join("board");
    let mut writer = Writer::new(&path, Half::Log);
    let mut reader = Reader::new(&path, Half::Log);
    assert!(!writer.begin().unwrap());
    assert_eq!(writer.publish("kvm1", 1.0, &[]).unwrap(), Publishing::Done);
    assert!(try_read(&mut reader).unwrap().is_none());
    fs::create_dir(&path).unwrap();
    assert!(try_read(&mut reader).unwrap().is_none());
    assert!(writer.begin().unwrap());
    assert_eq!(read(&mut reader), []);
}

#[test]
fn a_half_has_one_writer_and_the_next_takes_over_when_it_ends() {
    let folder = folder();
    let first = writer(&folder, Half::Log);
    let mut second = Writer::new(folder.path(), Half::Log);
    let error = second.begin().unwrap_err();
    assert!(matches!(error, BoardError::Taken { .. }), "{error}");
    assert!(error.to_string().contains("another process"), "{error}");
    // The other half is another's.
    let _metrics = writer(&folder, Half::Metrics);
    drop(first);
    assert!(second.begin().unwrap());
}

#[test]
fn a_writer_that_ends_removes_its_file_and_one_that_crashed_is_replaced() {
    let folder = folder();
    let mut reader = Reader::new(folder.path(), Half::Log);
    let mut crashed = writer(&folder, Half::Log);
    let log = reading(RiskSource::Log, 5.0, 3.0);
    crashed.publish("kvm1", 5.0, &[log]).unwrap();
    crashed.crash();
    // What it published is still there, with its time.
    assert_eq!(read(&mut reader), [("kvm1".to_owned(), vec![log])]);
    let mut next = writer(&folder, Half::Log);
    assert_eq!(read(&mut reader), []);
    next.publish("kvm9", 9.0, &[]).unwrap();
    assert_eq!(read(&mut reader)[0].0, "kvm9");
    drop(next);
    assert!(try_read(&mut reader).unwrap().is_none());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_file_that_was_removed_or_replaced_is_made_again() {
    let folder = folder();
    let path = folder.path().join("log.board");
    let mut writer = writer(&folder, Half::Log);
    let mut reader = Reader::new(folder.path(), Half::Log);
    for spoil in [
        |path: &Path| fs::remove_file(path).unwrap(),
        |path: &Path| {
            fs::remove_file(path).unwrap();
            fs::write(path, "another's").unwrap();
        },
        |path: &Path| {
            fs::remove_file(path).unwrap();
            symlink("/etc/passwd", path).unwrap();
        },
    ] {
        spoil(&path);
        assert!(writer.begin().unwrap());
        writer.publish("kvm1", 1.0, &[]).unwrap();
        assert_eq!(read(&mut reader).len(), 1);
    }
}

#[test]
fn the_file_is_for_its_owner_and_group_alone() {
    let folder = folder();
    let _writer = writer(&folder, Half::Log);
    let mode = fs::metadata(folder.path().join("log.board")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o640);
    assert_eq!(mode.len(), FILE_BYTES);
}

#[test]
fn a_folder_that_everybody_may_write_to_is_refused_by_both_sides() {
    let folder = folder();
    let mut known = writer(&folder, Half::Log);
    known.publish("kvm1", 1.0, &[]).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let mut writer = Writer::new(folder.path(), Half::Metrics);
    let error = writer.begin().unwrap_err();
    assert!(error.to_string().contains("chmod o-w"), "{error}");
    let mut reader = Reader::new(folder.path(), Half::Log);
    let error = try_read(&mut reader).unwrap_err();
    assert!(matches!(error, BoardError::WritableByAll { .. }), "{error}");
}

#[test]
fn names_are_cleaned_and_impossible_ones_refused() {
    let folder = folder();
    let mut writer = writer(&folder, Half::Log);
    let mut reader = Reader::new(folder.path(), Half::Log);
    let mut publish = |name: &str| writer.publish(name, 1.0, &[]).unwrap();
    assert_eq!(publish("kvm\u{1b}1\u{202e}"), Publishing::Done);
    assert_eq!(publish(&"x".repeat(256)), Publishing::Done);
    assert_eq!(publish(""), Publishing::Refused);
    assert_eq!(publish(&"x".repeat(257)), Publishing::Refused);
    let names: Vec<String> = read(&mut reader).into_iter().map(|host| host.0).collect();
    assert_eq!(names, ["kvm 1", &"x".repeat(256)]);
}

#[test]
fn a_full_board_refuses_hosts_until_others_are_no_longer_published() {
    let folder = folder();
    let mut writer = writer(&folder, Half::Log);
    let mut reader = Reader::new(folder.path(), Half::Log);
    for host in 0..HOSTS_MAX {
        let published = writer.publish(&format!("kvm{host}"), 1_000.0, &[]).unwrap();
        assert_eq!(published, Publishing::Done);
    }
    assert_eq!(
        writer.publish("late", 1_100.0, &[]).unwrap(),
        Publishing::Full
    );
    for host in 1..HOSTS_MAX {
        writer.publish(&format!("kvm{host}"), 1_700.0, &[]).unwrap();
    }
    assert_eq!(
        writer.publish("late", 1_701.0, &[]).unwrap(),
        Publishing::Done
    );
    let names: Vec<String> = read(&mut reader).into_iter().map(|host| host.0).collect();
    assert_eq!((names.len(), &*names[0]), (HOSTS_MAX, "late"));
}

#[test]
fn sources_of_the_other_half_are_ignored() {
    let folder = folder();
    let mut writer = writer(&folder, Half::Log);
    let foreign = reading(RiskSource::Had, 1.0, 30.0);
    let own = reading(RiskSource::Novelty, 1.0, 2.0);
    let endless = reading(RiskSource::Log, f64::INFINITY, 2.0);
    writer
        .publish("kvm1", 1.0, &[foreign, own, endless])
        .unwrap();
    let mut reader = Reader::new(folder.path(), Half::Log);
    assert_eq!(read(&mut reader), [("kvm1".to_owned(), vec![own])]);
}

fn risk(time: f64, risk_10min: f32, risk_30min: f32) -> Risk {
    Risk {
        time,
        risk_10min,
        risk_30min,
        calibrated: false,
        raised: true,
    }
}

fn risks(reader: &mut Reader) -> Vec<(String, Risk)> {
    let mut found = Vec::new();
    let board = reader.risks(|name, risk| found.push((name.to_owned(), risk)));
    assert_eq!(board.unwrap().expect("somebody publishes").damaged, 0);
    found
}

#[test]
fn the_risk_of_a_host_is_read_as_it_was_published_until_it_is_published_without() {
    let folder = folder();
    let mut writer = writer(&folder, Half::Log);
    let mut reader = Reader::new(folder.path(), Half::Log);
    let log = reading(RiskSource::Log, 1_000.0, 3.0);
    let all = [
        risk(1_000.0, 0.0, 1.0),
        Risk {
            calibrated: true,
            ..risk(1_000.25, 0.5, 0.9)
        },
        Risk {
            raised: false,
            ..risk(1_001.0, 1e-6, 1e-5)
        },
    ];
    for risk in all {
        writer
            .publish_with("kvm1", 1_000.0, &[log], Some(risk))
            .unwrap();
        assert_eq!(risks(&mut reader), [("kvm1".to_owned(), risk)]);
        assert_eq!(read(&mut reader), [("kvm1".to_owned(), vec![log])]);
    }
    writer.publish("kvm1", 1_002.0, &[log]).unwrap();
    assert_eq!(risks(&mut reader), []);
    assert_eq!(read(&mut reader), [("kvm1".to_owned(), vec![log])]);
}

#[test]
fn a_risk_that_is_no_probability_at_a_time_is_ignored_and_the_rest_counts() {
    let folder = folder();
    let mut writer = writer(&folder, Half::Log);
    let mut reader = Reader::new(folder.path(), Half::Log);
    let log = reading(RiskSource::Log, 1_000.0, 3.0);
    for wrong in [
        risk(f64::NAN, 0.5, 0.5),
        risk(f64::INFINITY, 0.5, 0.5),
        risk(1.0, f32::NAN, 0.5),
        risk(1.0, 0.5, f32::NAN),
        risk(1.0, 1.001, 0.5),
        risk(1.0, 0.5, f32::INFINITY),
        risk(1.0, -0.001, 0.5),
    ] {
        writer
            .publish_with("kvm1", 1_000.0, &[log], Some(wrong))
            .unwrap();
        assert_eq!(risks(&mut reader), [], "{wrong:?}");
        assert_eq!(read(&mut reader), [("kvm1".to_owned(), vec![log])]);
    }
}

#[test]
fn only_the_half_that_watches_logs_has_a_risk() {
    let folder = folder();
    let mut metrics = writer(&folder, Half::Metrics);
    let high = Some(risk(1.0, 0.9, 0.9));
    metrics.publish_with("kvm1", 1.0, &[], high).unwrap();
    assert_eq!(risks(&mut Reader::new(folder.path(), Half::Metrics)), []);
    // Nor does one that was put there by other means count.
    let record = format::record("kvm1", &[], high);
    assert!(format::risk(&record, Half::Log).is_some());
    assert_eq!(format::risk(&record, Half::Metrics), None);
}

#[test]
fn a_risk_is_fresh_for_a_minute() {
    let risk = risk(1_000.0, 0.5, 0.5);
    assert!(risk.is_fresh(1_000.0) && risk.is_fresh(1_060.0) && risk.is_fresh(999.0));
    assert!(!risk.is_fresh(1_060.5) && !risk.is_fresh(900.0) && !risk.is_fresh(f64::NAN));
}

#[test]
fn no_damaged_byte_of_a_risk_becomes_another_risk() {
    let folder = folder();
    let mut writer = writer(&folder, Half::Log);
    let risk = risk(1_000.0, 0.25, 0.5);
    writer.publish_with("kvm1", 1.0, &[], Some(risk)).unwrap();
    let path = folder.path().join("log.board");
    let file = fs::OpenOptions::new().read(true).write(true).open(path);
    let file = file.unwrap();
    let mut reader = Reader::new(folder.path(), Half::Log);
    let end = (HEADER_BYTES + RECORD_BYTES) as u64;
    for at in end - 24..end {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        for flip in [1, 0x80, 0xff] {
            file.write_all_at(&[byte[0] ^ flip], at).unwrap();
            let board = reader.risks(|name, risk| panic!("byte {at}: {name} {risk:?}"));
            assert_eq!(board.unwrap().map(|board| board.damaged), Some(1));
        }
        file.write_all_at(&byte, at).unwrap();
    }
    assert_eq!(risks(&mut reader), [("kvm1".to_owned(), risk)]);
}

#[test]
fn no_damaged_byte_becomes_a_state() {
    let folder = folder();
    let path = folder.path().join("metrics.board");
    let mut writer = writer(&folder, Half::Metrics);
    let had = reading(RiskSource::Had, 1_000.0, 60.0);
    writer.publish("kvm1", 1_000.0, &[had]).unwrap();
    writer.publish("kvm2", 1_000.0, &[had]).unwrap();
    let whole = [("kvm1", had), ("kvm2", had)].map(|(name, had)| (name.to_owned(), vec![had]));
    let file = fs::OpenOptions::new().read(true).write(true).open(&path);
    let file = file.unwrap();
    let mut reader = Reader::new(folder.path(), Half::Metrics);
    for at in 0..(HEADER_BYTES + 2 * RECORD_BYTES) as u64 {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        for flip in [1, 0x80, 0xff] {
            file.write_all_at(&[byte[0] ^ flip], at).unwrap();
            match try_read(&mut reader) {
                Ok(found) => {
                    let (board, found) = found.unwrap();
                    assert_eq!((board.hosts, board.damaged), (1, 1), "byte {at}");
                    assert!(found.iter().all(|host| whole.contains(host)), "byte {at}");
                }
                Err(error) => assert!(at < HEADER_BYTES as u64, "{error}"),
            }
        }
        file.write_all_at(&byte, at).unwrap();
    }
    assert_eq!(read(&mut reader), whole);
}

#[test]
fn whatever_is_in_the_place_of_the_file_is_refused_with_the_reason() {
    let folder = folder();
    let path = folder.path().join("metrics.board");
    let mut reader = Reader::new(folder.path(), Half::Metrics);
    let mut refused = |part: &str| {
        let error = try_read(&mut reader).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let mut noise = 1_u64;
    let mut random = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (noise >> 33) as u8
    };
    let right = writer(&folder, Half::Metrics);
    let mut content = fs::read(&path).unwrap();
    right.crash();
    fs::write(&path, "").unwrap();
    refused("its size");
    fs::write(&path, vec![7; 3 << 20]).unwrap();
    refused("its size");
    let any: Vec<u8> = (0..FILE_BYTES).map(|_| random()).collect();
    fs::write(&path, any).unwrap();
    refused("not a file of the board");
    content[8] = 2;
    fs::write(&path, &content).unwrap();
    refused("version 2");
    content[8] = 1;
    content[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    fs::write(&path, &content).unwrap();
    refused("damaged");
    // The other half's file is not this one's.
    let log = writer(&folder, Half::Log);
    fs::copy(folder.path().join("log.board"), &path).unwrap();
    refused("damaged");
    drop(log);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("not a regular file");
    fs::remove_dir(&path).unwrap();
    let name = std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the name ends with a NUL byte.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o640) }, 0);
    // Without waiting for who writes to it.
    refused("not a regular file");
    fs::remove_file(&path).unwrap();
    symlink("/dev/zero", &path).unwrap();
    refused("metrics.board");
}

#[test]
fn a_file_that_shrinks_while_it_is_read_ends_no_process() {
    let folder = folder();
    let path = folder.path().join("log.board");
    let mut writer = writer(&folder, Half::Log);
    let mut reader = Reader::new(folder.path(), Half::Log);
    for host in 0..100 {
        writer.publish(&format!("kvm{host}"), 1.0, &[]).unwrap();
    }
    assert_eq!(read(&mut reader).len(), 100);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    for length in [0, 10, HEADER_BYTES as u64, HEADER_BYTES as u64 + 1_000] {
        file.set_len(length).unwrap();
        assert!(try_read(&mut reader).is_err(), "{length}");
        // Its writer is not harmed either.
        assert!(writer.begin().unwrap());
        writer.publish("kvm1", 2.0, &[]).unwrap();
    }
}

#[test]
fn a_record_that_is_read_while_it_is_written_is_the_old_or_the_new_one() {
    let folder = folder();
    let mut reader = Reader::new(folder.path(), Half::Metrics);
    let mut writer = writer(&folder, Half::Metrics);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..20_000 {
                let (time, measure) = (f64::from(round), f64::from(round) * 0.5);
                let both = [RiskSource::Had, RiskSource::Resource];
                let both = both.map(|source| reading(source, time, measure));
                writer.publish("kvm1", time, &both).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        let mut rounds = 0;
        while !done.load(Ordering::Acquire) || rounds == 0 {
            rounds += 1;
            let Some((_, found)) = try_read(&mut reader).unwrap() else {
                panic!("somebody publishes")
            };
            for (_, readings) in found {
                let [had, resource] = readings[..] else {
                    panic!("{readings:?}")
                };
                assert_eq!(had.time, resource.time);
                assert_eq!(had.time * 0.5, resource.measure);
            }
        }
    });
}

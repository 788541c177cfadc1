//! The board: publishing one host, and reading what the other half publishes.

use bellwether_agent::board::{Half, Reader, Reading, RiskSource, Writer};

fn main() {
    divan::main();
}

const READINGS: [Reading; 2] = [
    Reading {
        source: RiskSource::Had,
        time: 1.7e9,
        measure: 60.0,
        provisional: false,
    },
    Reading {
        source: RiskSource::Resource,
        time: 1.7e9,
        measure: 0.5,
        provisional: false,
    },
];

/// A board with this many hosts, in memory as `/run` is.
fn board(hosts: usize) -> (tempfile::TempDir, Writer, Vec<String>) {
    let folder = tempfile::tempdir_in("/dev/shm").expect("there is a file system in memory");
    let mut writer = Writer::new(folder.path(), Half::Metrics);
    writer.begin().expect("nobody else publishes");
    let names: Vec<String> = (0..hosts)
        .map(|i| format!("host-{i}.example.org"))
        .collect();
    for name in &names {
        writer
            .publish(name, 1.7e9, &READINGS)
            .expect("it is published");
    }
    (folder, writer, names)
}

#[divan::bench(args = [1, 1_000])]
fn publish(bencher: divan::Bencher<'_, '_>, hosts: usize) {
    let (_folder, mut writer, names) = board(hosts);
    bencher.counter(hosts).bench_local(|| {
        writer.begin().expect("nobody else publishes");
        for name in &names {
            writer
                .publish(name, 1.7e9, &READINGS)
                .expect("it is published");
        }
    });
}

#[divan::bench(args = [1, 1_000])]
fn read(bencher: divan::Bencher<'_, '_>, hosts: usize) {
    let (folder, _writer, _) = board(hosts);
    let mut reader = Reader::new(folder.path(), Half::Metrics);
    bencher.counter(hosts).bench_local(|| {
        let mut sum = 0.0;
        let read = reader.read(|_, readings| sum += readings.map(|r| r.measure).sum::<f64>());
        read.expect("the board is whole");
        sum
    });
}

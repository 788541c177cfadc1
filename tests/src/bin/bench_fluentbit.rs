//! What the plugin costs in a real Fluent Bit, beside filters of its own: CPU time of the process for a million lines. Prints
//! Markdown; says so where there is no Fluent Bit.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use bellwether_tests::fluentbit::{FluentBit, find};
use bellwether_tests::skipped;

/// Measurements of which the median is told.
const RUNS: usize = 5;

const LINES: usize = 1_000_000;

/// Bytes of a line, with its newline.
const LINE_BYTES: usize = 106;

/// Lines as a server writes them, of a few dozen kinds, each of [`LINE_BYTES`].
fn lines() -> String {
    const KINDS: [&str; 8] = [
        "Accepted publickey for deploy from 10.0.#.# port # ssh2: ED25519 SHA256:",
        "pam_unix(sshd:session): session opened for user deploy(uid=#) by (uid=#)",
        "GET /api/v1/items/#?page=# HTTP/1.1 200 # \"-\" \"Mozilla/5.0\" rt=0.#",
        "Started Session # of User deploy; uid=# seat=none leader=#",
        "dhcpd: DHCPACK on 10.0.#.# to 52:54:00:#:#:# via eth#",
        "worker # finished job # in # ms, # rows, queue depth #",
        "connection # from 10.1.#.#:# closed after # bytes, # packets",
        "cron[#]: (root) CMD (run-parts --report /etc/cron.hourly) id #",
    ];
    let mut text = String::with_capacity(LINES * LINE_BYTES);
    let mut state = 1u64;
    for number in 0..LINES {
        let start = text.len();
        for part in KINDS[number % KINDS.len()].split_inclusive('#') {
            text.push_str(part.trim_end_matches('#'));
            if part.ends_with('#') {
                // Knuth's generator: numbers that differ are all that is asked for.
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // As wide each, so that what fills the line is as long in all lines of a kind.
                write!(text, "{}", 100 + (state >> 33) % 900)
                    .expect("writing to a string cannot fail");
            }
        }
        let length = text.len() - start;
        text.extend(std::iter::repeat_n('x', LINE_BYTES - 1 - length));
        text.push('\n');
    }
    text
}

/// CPU time of the children that have ended, in seconds.
fn children_cpu_sec() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(')').context("no end of the name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields[13].parse::<f64>()? + fields[14].parse::<f64>()?;
    // USER_HZ is 100 wherever Linux runs.
    Ok(ticks / 100.0)
}

/// CPU seconds of one run with that filter.
fn run(fluent_bit: &mut FluentBit, filter: &str) -> Result<f64> {
    let configuration = format!(
        "[SERVICE]\n    flush 1\n    grace 60\n    log_level warn\n    parsers_file @FOLDER@/parsers.conf\n\
         [INPUT]\n    name tail\n    path @FOLDER@/in.log\n    tag log\n    read_from_head on\n    exit_on_eof on\n    \
         static_batch_size 4G\n    mem_buf_limit 4G\n{filter}[OUTPUT]\n    name null\n    match *\n"
    );
    let before = children_cpu_sec()?;
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    let status = fluent_bit.wait_end()?;
    ensure!(status.success(), "{status}; log:\n{}", fluent_bit.log());
    Ok(children_cpu_sec()? - before)
}

fn main() -> Result<()> {
    if let Err(error) = find() {
        skipped(error);
        return Ok(());
    }
    let filters = [
        ("no filter", String::new()),
        ("bellwether", bellwether("")),
        (
            "bellwether, record_keys none",
            bellwether("    record_keys none\n"),
        ),
        (
            "grep",
            "[FILTER]\n    name grep\n    match *\n    exclude log ^never$\n".into(),
        ),
        (
            "Lua that passes through",
            "[FILTER]\n    name lua\n    match *\n    script @FOLDER@/pass.lua\n    call pass\n"
                .into(),
        ),
        (
            "parser with a regular expression",
            "[FILTER]\n    name parser\n    match *\n    key_name log\n    parser words\n".into(),
        ),
    ];
    let mut fluent_bit = FluentBit::prepare()?;
    fluent_bit.write("in.log", &lines())?;
    fluent_bit.write(
        "pass.lua",
        "function pass(tag, time, record)\n    return 0, 0, 0\nend\n",
    )?;
    fluent_bit.write(
        "parsers.conf",
        "[PARSER]\n    name words\n    format regex\n    regex ^(?<first>[^ ]+) (?<second>[^ ]+) (?<rest>.*)$\n",
    )?;
    // In turns, so that what else the machine does meets all alike.
    let mut seconds = vec![Vec::new(); filters.len()];
    for _ in 0..RUNS {
        for (filter, seconds) in filters.iter().zip(&mut seconds) {
            seconds.push(run(&mut fluent_bit, &filter.1)?);
        }
    }
    let medians: Vec<f64> = seconds
        .iter_mut()
        .map(|runs| {
            runs.sort_by(f64::total_cmp);
            runs[RUNS / 2]
        })
        .collect();
    println!(
        "\nA million lines of {LINE_BYTES} bytes, tail to null; CPU seconds of the process, medians of {RUNS}:\n"
    );
    println!("| filter | CPU, s | to no filter |\n| --- | ---: | ---: |");
    for ((name, _), seconds) in filters.iter().zip(&medians) {
        println!("| {name} | {seconds:.2} | {:.2} |", seconds / medians[0]);
    }
    Ok(())
}

fn bellwether(options: &str) -> String {
    format!("[FILTER]\n    name bellwether\n    match *\n{options}")
}

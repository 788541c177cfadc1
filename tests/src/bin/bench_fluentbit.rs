//! What the plugin costs in a real Fluent Bit, beside filters of its own: CPU time of the process for a million lines. Prints
//! Markdown; says so where there is no Fluent Bit.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};
use bellwether_tests::compile::compile;
use bellwether_tests::fluentbit::{FluentBit, find};
use bellwether_tests::skipped;

/// Measurements of which the median is told.
const RUNS: usize = 5;

const LINES: usize = 1_000_000;

/// Hosts that are very many.
const HOSTS: usize = 100_000;

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
        // A word of its own: a number that goes on in letters would make every line one of a kind.
        text.push(' ');
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

/// What comes between an input of the lines and an output.
struct Pipeline {
    name: &'static str,
    filters: String,
}

impl Pipeline {
    fn new(name: &'static str, filter: &str, options: &[&str]) -> Self {
        let options: String = options.iter().map(|o| format!("    {o}\n")).collect();
        let filters = match filter {
            "" => String::new(),
            filter => format!("[FILTER]\n    name {filter}\n    match *\n{options}"),
        };
        Self { name, filters }
    }
}

/// Runs a Fluent Bit to its end with these filters and this output; its CPU seconds. The lines of an
/// input whose name ends with `.json` are that.
fn run(fluent_bit: &mut FluentBit, input: &str, filters: &str, output: &str) -> Result<f64> {
    let parser = match input.ends_with(".json") {
        true => "    parser json\n",
        false => "",
    };
    let configuration = format!(
        "[SERVICE]\n    flush 1\n    grace 60\n    log_level warn\n    parsers_file @FOLDER@/parsers.conf\n\
         [INPUT]\n    name tail\n    path @FOLDER@/{input}\n    tag log\n    read_from_head on\n    exit_on_eof on\n    \
         static_batch_size 4G\n    mem_buf_limit 4G\n{parser}{filters}[OUTPUT]\n    match *\n    {output}\n"
    );
    let before = children_cpu_sec()?;
    let plugins = ["filter_bellwether", "filter_adding"].map(|p| format!("-e@FOLDER@/flb-{p}.so"));
    let plugins = plugins.each_ref().map(String::as_str);
    fluent_bit.start_with("fluent-bit.conf", &configuration, &plugins)?;
    let status = fluent_bit.wait_end()?;
    ensure!(status.success(), "{status}; log:\n{}", fluent_bit.log());
    Ok(children_cpu_sec()? - before)
}

/// Compiles the filter that adds templates of so many bytes.
fn compile_adding(fluent_bit: &FluentBit, template_bytes: usize) -> Result<()> {
    compile(
        "plugins/adding.c",
        &fluent_bit.folder().join("flb-filter_adding.so"),
        [
            "-std=gnu11",
            "-O2",
            "-shared",
            "-fPIC",
            &format!("-DTEMPLATE_BYTES={template_bytes}"),
        ],
    )
}

/// How long the templates are that bellwether adds, on average.
fn template_bytes(fluent_bit: &mut FluentBit) -> Result<usize> {
    compile_adding(fluent_bit, 1)?;
    let text = fs::read_to_string(fluent_bit.folder().join("in.log"))?;
    let some: String = text.split_inclusive('\n').take(1000).collect();
    fluent_bit.write("some.log", &some)?;
    let output = "name file\n    path @FOLDER@\n    file out\n    format plain";
    run(
        fluent_bit,
        "some.log",
        &Pipeline::new("", "bellwether", &[]).filters,
        output,
    )?;
    let records = fluent_bit.records("out");
    let lengths = records
        .iter()
        .filter_map(|r| r["bellwether_template"].as_str())
        .map(str::len);
    let sum: usize = lengths.sum();
    ensure!(sum > 0, "no record has a template");
    Ok(sum / records.len())
}

fn main() -> Result<()> {
    if let Err(error) = find() {
        skipped(error);
        return Ok(());
    }
    let mut fluent_bit = FluentBit::prepare()?;
    fluent_bit.write("in.log", &lines())?;
    fluent_bit.write(
        "pass.lua",
        "function pass(tag, time, record)\n    return 0, 0, 0\nend\n",
    )?;
    fluent_bit.write(
        "parsers.conf",
        "[PARSER]\n    name json\n    format json\n\
         [PARSER]\n    name words\n    format regex\n    regex ^(?<first>[^ ]+) (?<second>[^ ]+) (?<rest>.*)$\n",
    )?;
    let template_bytes = template_bytes(&mut fluent_bit)?;
    compile_adding(&fluent_bit, template_bytes)?;
    let template = format!("add bellwether_template {}", "x".repeat(template_bytes));
    let pipelines = [
        Pipeline::new("no filter", "", &[]),
        Pipeline::new("bellwether", "bellwether", &[]),
        Pipeline::new(
            "bellwether, `record_keys template_id`",
            "bellwether",
            &["record_keys template_id"],
        ),
        Pipeline::new(
            "bellwether, `record_keys none`",
            "bellwether",
            &["record_keys none"],
        ),
        Pipeline::new(
            "one that adds as many bytes and does nothing else",
            "adding",
            &[],
        ),
        Pipeline::new(
            "`modify` that adds as many bytes",
            "modify",
            &["add bellwether_template_id 1", &template],
        ),
        Pipeline::new("`grep`", "grep", &["exclude log ^never$"]),
        Pipeline::new(
            "Lua that passes through",
            "lua",
            &["script @FOLDER@/pass.lua", "call pass"],
        ),
        Pipeline::new(
            "`parser` with a regular expression",
            "parser",
            &["key_name log", "parser words"],
        ),
    ];
    let runs: Vec<_> = pipelines.iter().map(|p| ("in.log", p)).collect();
    let medians = medians(&mut fluent_bit, &runs)?;
    println!(
        "\nA million lines of {LINE_BYTES} bytes, tail to null; CPU seconds of the process, medians of {RUNS}; templates of \
         {template_bytes} bytes:\n"
    );
    println!("| filter | CPU, s | to no filter |\n| --- | ---: | ---: |");
    for (Pipeline { name, .. }, seconds) in pipelines.iter().zip(&medians) {
        println!("| {name} | {seconds:.2} | {:.2} |", seconds / medians[0]);
    }
    very_many_hosts(&mut fluent_bit)
}

/// What it costs that records come from very many hosts in turn, instead of from one.
fn very_many_hosts(fluent_bit: &mut FluentBit) -> Result<()> {
    let filter = Pipeline::new(
        "",
        "bellwether",
        &["max_streams 1000000", "max_memory_mib 1024"],
    );
    let inputs = [1, HOSTS].map(|hosts| (format!("of-{hosts}.json"), hosts));
    let lines = lines().replace('"', "'");
    let lines: Vec<&str> = lines.lines().collect();
    for (file, hosts) in &inputs {
        let mut text = String::new();
        for number in 0..LINES {
            // Each of them says all that there is to say.
            let line = lines[(number + number / HOSTS) % LINES];
            let host = number % hosts;
            writeln!(text, r#"{{"host":"host-{host}","log":"{line}"}}"#)
                .expect("writing to a string cannot fail");
        }
        fluent_bit.write(file, &text)?;
    }
    let none = Pipeline::new("", "", &[]);
    let runs: Vec<_> = inputs
        .iter()
        .flat_map(|(file, _)| [(file.as_str(), &none), (file.as_str(), &filter)])
        .collect();
    let medians = medians(fluent_bit, &runs)?;
    println!(
        "\nThe same lines as JSON with the name of a host, {} lines of each of {HOSTS} hosts in turn:\n",
        LINES / HOSTS
    );
    println!("| | no filter, CPU s | bellwether | to one host |\n| --- | ---: | ---: | ---: |");
    for ((_, hosts), pair) in inputs.iter().zip(medians.chunks_exact(2)) {
        let [without, with] = [pair[0], pair[1]];
        let to_one = with / medians[1];
        println!("| hosts: {hosts} | {without:.2} | {with:.2} | {to_one:.2} |");
    }
    Ok(())
}

/// The medians of [`RUNS`] runs of each of these pipelines on its input, in CPU seconds.
fn medians(fluent_bit: &mut FluentBit, runs: &[(&str, &Pipeline)]) -> Result<Vec<f64>> {
    // In turns, so that what else the machine does meets all alike.
    let mut seconds = vec![Vec::new(); runs.len()];
    for _ in 0..RUNS {
        for ((input, pipeline), seconds) in runs.iter().zip(&mut seconds) {
            seconds.push(run(fluent_bit, input, &pipeline.filters, "name null")?);
        }
    }
    let median = |mut seconds: Vec<f64>| {
        seconds.sort_by(f64::total_cmp);
        seconds[RUNS / 2]
    };
    Ok(seconds.into_iter().map(median).collect())
}

//! `include/bellwether.h` is generated from the library's sources, and `sys/src/raw.rs` from the header by bindgen. Both are committed,
//! so that nobody needs cbindgen or libclang to build, and compared here.

// The tests that share it use different parts.
#[allow(dead_code)]
mod common;

use std::process::Command;
use std::{env, fs};

use common::{compiler, in_package, skip, succeed};

/// The version of bindgen that the bindings are generated with.
const BINDGEN: &str = "bindgen 0.73.2";

/// The sections of the header in their order, each with the source files that it is generated from.
const SECTIONS: [(&str, &[&str]); 11] = [
    ("Strings", &["string"]),
    ("Version", &["version"]),
    ("Errors", &["error"]),
    ("Options", &["options"]),
    ("Events", &["event"]),
    ("Saved state", &["snapshot", "state"]),
    ("Detectors of all kinds", &["detector"]),
    (
        "Detector \"had\": anomalies of hypervisors, from the metrics of their VMs",
        &["had", "had_mask", "had_batch", "had_status"],
    ),
    (
        "Detector \"lad\": failures of hosts, from their logs",
        &["lad", "lad_batch", "lad_status", "question"],
    ),
    (
        "Detector \"resource\": how unusual the resources of hosts are",
        &["resource", "resource_status"],
    ),
    (
        "Detector \"risk\": the probability that a host fails, from all evidence about it",
        &["risk", "risk_status"],
    ),
];
const LAST_SECTION: (&str, &[&str]) = (
    "Detector \"drain\": templates of log lines and nothing else; \"lad\" has its own",
    &["drain"],
);

const PREAMBLE: &str = r#"/* bellwether: detects failing hypervisors. SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * The C interface of libbellwether. Generated from the Rust sources by `make docs`.
 *
 * A program sets options by name (bw_options_new, bw_options_set), makes a detector with them (bw_detector_new), feeds it
 * (bw_had_observe, bw_lad_observe, bw_resource_observe, bw_risk_observe) and fetches events (bw_detector_next_event).
 *
 * Handles are opaque. What bw_..._new and other functions give to be freed belongs to the caller. A handle may be used from any
 * thread, by one at a time, unless its comment allows more. Functions take NULL for a handle, and then fail or do nothing.
 *
 * A call that can fail gives a bw_result, or NULL instead of a new handle. Every such call can fail with BW_INVALID_ARGUMENT and
 * BW_PANIC; comments name the other codes. Its last parameter takes a bw_error with a message, or NULL.
 *
 * Strings in are a pointer and a length, see BW_STR. They are UTF-8 without NUL bytes unless a comment allows more, and are
 * not kept. Strings out are bw_string, in UTF-8, and belong to the handle that they were read from. A path is in the system's
 * encoding.
 *
 * A struct that begins with `size` may grow in later versions. Make it all zero, then set `size` to its sizeof. The library
 * accepts any size from that of the first version on: it fills no more than that, takes fields that are missing as zero, and
 * refuses fields that it does not know unless they are zero.
 *
 * A pointer that is not NULL must point to what its type says, and a length must be right: the library cannot check that.
 */
#ifndef BELLWETHER_H
#define BELLWETHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Pointer and length of a string literal, as two arguments or two initializers: bw_options_new(BW_STR("had"), &error).
#define BW_STR(literal) ("" literal), (sizeof(literal) - 1)

#ifdef __cplusplus
extern "C" {
#endif
"#;

const END: &str = "
#ifdef __cplusplus
}  // extern \"C\"
#endif

#endif  // BELLWETHER_H
";

/// What cbindgen makes of these source files, without any frame.
fn section(sources: &[&str]) -> String {
    let rename = [
        ("input_bool", "bool"),
        ("input_verdict", "bw_lad_verdict"),
        ("input_transport", "bw_lad_transport"),
        ("input_source", "bw_risk_source"),
        ("input_fate", "bw_risk_fate"),
    ];
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        no_includes: true,
        usize_is_size_t: true,
        documentation_style: cbindgen::DocumentationStyle::Cxx,
        line_length: 132,
        style: cbindgen::Style::Type,
        export: cbindgen::ExportConfig {
            // No function here has these in its type.
            include: [
                "bw_string",
                "bw_span",
                "bw_lad_verdict",
                "bw_lad_transport",
                "bw_lad_flag",
                "bw_risk_source",
                "bw_risk_fate",
            ]
            .map(String::from)
            .into(),
            exclude: rename.iter().map(|(input, _)| (*input).into()).collect(),
            rename: rename
                .iter()
                .map(|(input, c)| ((*input).into(), (*c).into()))
                .collect(),
            ..cbindgen::ExportConfig::default()
        },
        ..cbindgen::Config::default()
    };
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in sources {
        builder = builder.with_src(format!("{}/src/{source}.rs", env!("CARGO_MANIFEST_DIR")));
    }
    let mut section = Vec::new();
    builder
        .generate()
        .expect("cbindgen understands the sources")
        .write(&mut section);
    String::from_utf8(section).expect("the sources are UTF-8")
}

fn generate() -> String {
    let mut header = PREAMBLE.to_owned();
    for (title, sources) in SECTIONS.iter().chain([&LAST_SECTION]) {
        header += &format!("\n/* {title} */\n\n{}\n", section(sources).trim());
    }
    header + END
}

/// The header's declarations: without comments, and each run of white space as one space.
fn declarations(header: &str) -> String {
    let mut code = String::new();
    for part in header.split("/*") {
        code += part.split_once("*/").map_or(part, |(_, code)| code);
    }
    let lines = code
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

/// A line of the bindings that changes with the header's declarations (by FNV-1a), and not with its comments, which are not in the
/// bindings.
fn fingerprint(header: &str) -> String {
    let bytes = declarations(header).into_bytes();
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("// Fingerprint of the header: {hash:016x}")
}

/// What bindgen makes of the header; `None` if it is not installed in the right version.
fn bindings(header: &str) -> Option<String> {
    let version = Command::new("bindgen").arg("--version").output().ok()?;
    if String::from_utf8_lossy(&version.stdout).trim() != BINDGEN {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bellwether.h"), header).unwrap();
    // libclang alone lacks the headers that belong to a compiler.
    let include = succeed(compiler("CC", "cc").arg("-print-file-name=include"));
    let output = succeed(
        Command::new("bindgen")
            .arg("bellwether.h")
            .args(["--dynamic-loading", "Functions"])
            .args(["--dynamic-link-require-all", "--no-doc-comments"])
            .args(["--allowlist-item", "(bw|BW)_.*"])
            .args(["--default-enum-style", "consts", "--no-prepend-enum-name"])
            .args(["--rust-target", "1.88", "--rust-edition", "2024"])
            .args(["--use-core", "--formatter", "prettyplease"])
            .args(["--raw-line", &fingerprint(header)])
            .args(["--", "-isystem"])
            .arg(String::from_utf8_lossy(&include.stdout).trim())
            .current_dir(&folder),
    );
    Some(String::from_utf8(output.stdout).expect("bindgen writes UTF-8"))
}

/// Whether the files are to be generated again.
fn updating() -> bool {
    env::var_os("BELLWETHER_UPDATE").is_some()
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let path = in_package("../include/bellwether.h");
    let header = generate();
    if updating() {
        fs::write(&path, &header).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let first = (1..)
        .zip(header.lines().zip(committed.lines()))
        .find(|(_, (generated, committed))| generated != committed);
    assert!(
        header == committed,
        "include/bellwether.h differs from the sources, first at {first:?}; \"make docs\" writes it"
    );
}

#[test]
fn the_committed_bindings_are_those_of_the_header() {
    let path = in_package("sys/src/raw.rs");
    let header = generate();
    let generated = bindings(&header);
    if let (true, Some(new)) = (updating(), &generated) {
        fs::write(&path, new).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed.contains(&fingerprint(&header)),
        "ffi/sys/src/raw.rs was generated from another header; \"make docs\" writes it where {BINDGEN} is installed \
         (cargo install bindgen-cli --locked) and libclang (on Debian: libclang1)"
    );
    match generated {
        Some(generated) => assert!(
            committed == generated,
            "ffi/sys/src/raw.rs is not what {BINDGEN} writes; \"make docs\" writes it"
        ),
        None => skip(&format!(
            "{BINDGEN} is not installed, so the bindings were compared with the header by its fingerprint only"
        )),
    }
}

#[test]
fn the_header_reads_in_one_sitting() {
    let header = generate();
    let lines = header.lines().count();
    assert!(lines < 1100, "{lines} lines");
    for line in header.lines() {
        assert!(line.chars().count() <= 132, "too long: {line}");
    }
}

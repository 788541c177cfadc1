//! `include/bellwether.h` says what the library does: it is generated from it, committed, and compared here.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// In this order the header tells them.
const SOURCES: [&str; 14] = [
    "version",
    "error",
    "layout",
    "options",
    "observation",
    "event",
    "snapshot",
    "status",
    "state",
    "had",
    "lad_options",
    "record",
    "lad",
    "drain",
];

const PREAMBLE: &str = "\
/* bellwether: tells a failing hypervisor from a busy guest. SPDX-License-Identifier: Apache-2.0 OR MIT
 *
 * The C interface of libbellwether. Generated from the Rust sources by `make docs`.
 *
 * Handles are opaque, made by a function `bw_..._new` and freed by `bw_..._free`. Each may be used from any thread, by one
 * thread at a time, unless its comment says that several may use it at once. A call that can fail gives a `bw_result` (or
 * NULL instead of a new handle) and, where asked, a `bw_error` with a message.
 *
 * Strings in are a pointer and a length in bytes, UTF-8 without NUL bytes; they need no NUL at the end and are never kept
 * past the call. Strings out are UTF-8 with a NUL at the end; they belong to the handle that they were read from and live
 * as long as it, unless the function's comment says otherwise.
 *
 * A struct that begins with a field `size` may grow: the caller sets `size` to the struct's sizeof before it hands it over,
 * and makes the rest zero. A pointer that is not NULL points to what its type says; the library cannot check that.
 */";

fn header_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../include/bellwether.h")
}

fn generate() -> String {
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        cpp_compat: true,
        header: Some(PREAMBLE.into()),
        include_guard: Some("BELLWETHER_H".into()),
        no_includes: true,
        sys_includes: vec!["stdbool.h".into(), "stddef.h".into(), "stdint.h".into()],
        usize_is_size_t: true,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        line_length: 110,
        style: cbindgen::Style::Type,
        // No function has it in its type: C may give any number for it.
        export: cbindgen::ExportConfig {
            include: vec!["bw_verdict".into()],
            ..cbindgen::ExportConfig::default()
        },
        ..cbindgen::Config::default()
    };
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in SOURCES {
        builder = builder.with_src(format!("{}/src/{source}.rs", env!("CARGO_MANIFEST_DIR")));
    }
    let mut header = Vec::new();
    builder
        .generate()
        .expect("cbindgen understands the sources")
        .write(&mut header);
    String::from_utf8(header).expect("the sources are UTF-8")
}

#[test]
fn the_committed_header_is_what_the_sources_say() {
    let header = generate();
    if env::var_os("BELLWETHER_UPDATE").is_some() {
        fs::write(header_path(), &header).unwrap();
    }
    let committed = fs::read_to_string(header_path()).unwrap_or_default();
    let first = (1..)
        .zip(header.lines().zip(committed.lines()))
        .find(|(_, (generated, committed))| generated != committed);
    assert!(
        header == committed,
        "include/bellwether.h differs from the sources, first at {first:?}; \
         \"make docs\" writes it"
    );
}

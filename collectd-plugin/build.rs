//! Compiles the shim against the collectd headers that are installed. Where there are none, or those of a collectd 6, the crate is
//! built without what collectd calls, so that the workspace builds and its tests run: such a library is no plugin, which a
//! warning and a file beside it say, and `make install` leaves it out.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where collectd's headers go by default, and under a prefix of their own.
const FOLDERS: &[&str] = &[
    "/usr/include/collectd",
    "/usr/local/include/collectd",
    "/opt/collectd/include/collectd",
];

/// Names the folder of headers; with [`NONE`], the plugin is left out.
const VARIABLE: &str = "COLLECTD_INCLUDE_DIR";
const NONE: &str = "none";

/// The file beside the library that says why it is no plugin.
const SKIPPED: &str = "collectd-plugin.skipped";

/// What distributions compile C with. The linker's part (RELRO, immediate binding, no executable stack) is rustc's default.
const HARDENING: [&str; 4] = [
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-fcf-protection",
    "-Werror=format-security",
];

fn main() {
    println!("cargo:rerun-if-changed=shim/shim.c");
    println!("cargo:rerun-if-changed=shim/shim.h");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    println!("cargo:rustc-check-cfg=cfg(collectd)");
    // The plugin has a thread: it must stay mapped whatever the daemon does.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");

    let named = env::var_os(VARIABLE);
    let folder = match &named {
        Some(word) if word == NONE => Err(format!("{VARIABLE} is \"{NONE}\"")),
        _ => folder(named.as_deref().map(Path::new))
            .and_then(|folder| version(&folder).map(|()| folder)),
    };
    // A folder that somebody names is one that he wants to be used.
    if let (Err(message), Some(word)) = (&folder, &named)
        && word != NONE
    {
        println!("cargo:error={message}");
        std::process::exit(1);
    }
    let skipped = match folder {
        Ok(folder) => {
            println!("cargo:rustc-cfg=collectd");
            compile(&folder);
            None
        }
        Err(why) => Some(why),
    };
    if let Err(error) = mark(skipped.as_deref()) {
        println!("cargo:error={SKIPPED} cannot be written: {error}");
        std::process::exit(1);
    }
}

/// Says, or no longer says, that the library is no plugin.
fn mark(skipped: Option<&str>) -> io::Result<()> {
    // OUT_DIR is <profile>/build/<package>/out.
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let Some(profile) = Path::new(&out).ancestors().nth(3) else {
        return Ok(());
    };
    let file = profile.join(SKIPPED);
    match skipped {
        Some(why) => {
            println!("cargo:warning=the collectd plugin is not built: {why}");
            fs::write(file, format!("collectd plugin ({why})\n"))
        }
        None => match fs::remove_file(file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        },
    }
}

/// The folder that holds `core/daemon/plugin.h`.
fn folder(named: Option<&Path>) -> Result<PathBuf, String> {
    let candidates: Vec<PathBuf> = match named {
        Some(folder) => vec![folder.to_owned(), folder.join("collectd")],
        None => FOLDERS.iter().map(PathBuf::from).collect(),
    };
    let header = |folder: &PathBuf| folder.join("core/daemon/plugin.h");
    let found = candidates.iter().find(|folder| header(folder).is_file());
    if found.is_none() {
        // Looked at again when they are installed.
        for folder in &candidates {
            println!("cargo:rerun-if-changed={}", header(folder).display());
        }
    }
    found.cloned().ok_or_else(|| match named {
        Some(folder) => format!(
            "{VARIABLE} is {}, but there is no core/daemon/plugin.h in it",
            folder.display()
        ),
        None => format!(
            "no headers of collectd 5 in {}: install collectd-dev, or set {VARIABLE} to the folder \"collectd\" of its headers",
            FOLDERS.join(", ")
        ),
    })
}

/// Refuses a collectd whose write callback is another one.
fn version(folder: &Path) -> Result<(), String> {
    let config = folder.join("core/config.h");
    println!("cargo:rerun-if-changed={}", config.display());
    let text = fs::read_to_string(&config)
        .map_err(|error| format!("cannot read {}: {error}", config.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("#define PACKAGE_VERSION"))
        .map(|rest| rest.trim().trim_matches('"').to_owned())
        .ok_or_else(|| format!("{} does not define PACKAGE_VERSION", config.display()))?;
    if version.starts_with("5.") {
        Ok(())
    } else {
        Err(format!(
            "the installed headers are of collectd {version} ({}); bellwether works with collectd 5 (tested: 5.12): \
             collectd 6 hands its write plugins another kind of data. Set {VARIABLE} to the headers of a collectd 5",
            folder.display()
        ))
    }
}

fn compile(folder: &Path) {
    let mut build = cc::Build::new();
    build
        .file("shim/shim.c")
        .define("HAVE_CONFIG_H", None)
        .include("shim")
        .include(folder.join("core"))
        .include(folder.join("core/daemon"))
        .include(folder)
        // The installed headers name each other as "collectd/core/daemon/…".
        .flag_if_supported("-Wno-unused-parameter");
    for flag in HARDENING {
        build.flag_if_supported(flag);
    }
    // It needs optimization, and is a warning without.
    if env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        build
            .flag("-U_FORTIFY_SOURCE")
            .define("_FORTIFY_SOURCE", "2");
    }
    if let Some(parent) = folder.parent() {
        build.include(parent);
    }
    build.compile("bellwether_collectd_shim");
}

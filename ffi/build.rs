//! Gives the shared object its soname, and puts a link of that name beside it, so that a program that was linked against
//! `target/<profile>/libbellwether.so`, or a plugin in the same folder, finds it when it runs.

use std::path::Path;
use std::{env, fs, io};

/// The number is raised when a function, a field or a value is removed or changes its meaning, and with it `BW_ABI_VERSION`.
const SONAME: &str = "libbellwether.so.0";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");

    // Cargo has no step after the link, so the link is made before there is what it points to. OUT_DIR is
    // <profile>/build/<package>/out; programs and plugins are in <profile>, tests and what they load in <profile>/deps.
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    let Some(profile) = Path::new(&out).ancestors().nth(3) else {
        return;
    };
    for folder in [profile.to_owned(), profile.join("deps")] {
        if let Err(error) = link(&folder) {
            println!(
                "cargo::warning={SONAME} cannot be made in {}: {error}",
                folder.display()
            );
        }
    }
}

fn link(folder: &Path) -> io::Result<()> {
    let (name, target) = (folder.join(SONAME), "libbellwether.so");
    if fs::read_link(&name).is_ok_and(|found| found == Path::new(target)) {
        return Ok(());
    }
    match fs::remove_file(&name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)?;
    std::os::unix::fs::symlink(target, name)
}

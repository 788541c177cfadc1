//! What `install.sh` installs is enough to compile, link and run a program, by nothing but pkg-config.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{built, compile_c, in_package, skip, succeed};

/// What pkg-config says of the library that was installed into `libdir`, as arguments of a compiler.
fn pkg_config(libdir: &Path, arguments: &[&str]) -> Vec<String> {
    let output = succeed(
        Command::new("pkg-config")
            .args(arguments)
            .arg("bellwether")
            .env("PKG_CONFIG_PATH", libdir.join("pkgconfig"))
            .env_remove("PKG_CONFIG_SYSROOT_DIR"),
    );
    let said = String::from_utf8(output.stdout).unwrap();
    said.split_whitespace().map(String::from).collect()
}

fn there_is_no_pkg_config() -> bool {
    let missing = Command::new("pkg-config")
        .arg("--version")
        .output()
        .is_err();
    if missing {
        skip("pkg-config is not installed, so nobody looked whether an installation can be used");
    }
    missing
}

fn compile(folder: &Path, arguments: &[String]) -> PathBuf {
    let program = folder.join("program");
    let arguments: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
    compile_c(&in_package("tests/c/options.c"), &program, &arguments);
    program
}

#[test]
fn an_installed_library_is_found_by_pkg_config() {
    if there_is_no_pkg_config() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("local");
    succeed(
        Command::new(in_package("install.sh"))
            .env("PREFIX", &prefix)
            .env("BUILD", built())
            .env_remove("DESTDIR")
            .env_remove("LIBDIR")
            .env_remove("INCLUDEDIR"),
    );
    let libdir = prefix.join("lib");
    assert_eq!(
        pkg_config(&libdir, &["--modversion"]),
        [env!("CARGO_PKG_VERSION")]
    );

    let program = compile(folder.path(), &pkg_config(&libdir, &["--cflags", "--libs"]));
    let mut shared = Command::new(&program);
    succeed(shared.env("LD_LIBRARY_PATH", &libdir));
    let linked = succeed(
        Command::new("ldd")
            .arg(&program)
            .env("LD_LIBRARY_PATH", &libdir),
    );
    let linked = String::from_utf8_lossy(&linked.stdout).into_owned();
    assert!(
        linked.contains(libdir.join("libbellwether.so.0").to_str().unwrap()),
        "{linked}"
    );

    // Without the shared object, the same words link with the static library.
    for name in ["libbellwether.so", "libbellwether.so.0"] {
        fs::remove_file(libdir.join(name)).unwrap();
    }
    let program = compile(
        folder.path(),
        &pkg_config(&libdir, &["--static", "--cflags", "--libs"]),
    );
    succeed(&mut Command::new(program));
}

#[test]
fn a_staged_installation_speaks_of_where_it_will_be() {
    let folder = tempfile::tempdir().unwrap();
    succeed(
        Command::new(in_package("install.sh"))
            .env("PREFIX", "/usr")
            .env("LIBDIR", "/usr/lib/x86_64-linux-gnu")
            .env("DESTDIR", folder.path())
            .env("BUILD", built())
            .env_remove("INCLUDEDIR"),
    );
    let installed = |path: &str| folder.path().join(path);
    let libdir = "usr/lib/x86_64-linux-gnu";
    let pc = fs::read_to_string(installed(&format!("{libdir}/pkgconfig/bellwether.pc"))).unwrap();
    assert!(
        pc.contains("libdir=/usr/lib/x86_64-linux-gnu\nincludedir=/usr/include\n"),
        "{pc}"
    );
    assert!(
        !pc.contains('@') && !pc.contains(folder.path().to_str().unwrap()),
        "{pc}"
    );
    assert!(installed("usr/include/bellwether.h").exists());
    let link = fs::read_link(installed(&format!("{libdir}/libbellwether.so"))).unwrap();
    assert_eq!(link, Path::new("libbellwether.so.0"));
}

#[test]
fn an_installation_of_what_was_not_built_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(in_package("install.sh"))
        .env("PREFIX", folder.path())
        .env("BUILD", folder.path())
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && message.contains("cargo build --release"),
        "{message}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

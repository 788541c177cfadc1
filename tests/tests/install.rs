//! `make install`, and what is built where the headers of a host are missing. Needs make; installs into folders of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use bellwether_tests::fluentbit::chunk::{USUAL, map};
use bellwether_tests::fluentbit::host::{Host, Setup, installed};
use bellwether_tests::skipped;
use bellwether_tests::testbed::plugin::Plugin;

const LIBRARY: &str = "libbellwether.so.0";

/// What `make install` installs, as a build leaves it.
const BUILT: [&str; 5] = [
    "bellwether",
    "libbellwether.a",
    "libbellwether.so",
    "libbellwether_collectd.so",
    "libbellwether_fluentbit.so",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder with what was built, to be changed, and where to install it.
fn build() -> Result<(tempfile::TempDir, PathBuf)> {
    let folder = tempfile::tempdir()?;
    let build = folder.path().join("release");
    fs::create_dir(&build)?;
    let plugin = Plugin::build()?;
    for name in BUILT {
        fs::copy(plugin.folder().join(name), build.join(name))?;
    }
    Ok((folder, build))
}

fn make(arguments: &[String]) -> Result<(bool, String)> {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("make")
        .arg("-C")
        .arg(root())
        .args(arguments)
        .env_remove("MAKEFLAGS")
        .stdin(Stdio::null())
        .output()?;
    let said = [stdout, stderr].concat();
    Ok((
        status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    ))
}

/// Installs `build` under `prefix`, collectd's plugin into the folder "collectd" beside it.
fn install(build: &Path, prefix: &Path, more: &[String]) -> Result<(bool, String)> {
    let collectd = prefix.with_file_name("collectd");
    let mut arguments = vec![
        "install".to_owned(),
        // The system's own cache of libraries is to stay as it is.
        "LDCONFIG=true".to_owned(),
        format!("RELEASE={}", build.display()),
        format!("PREFIX={}", prefix.display()),
        format!("COLLECTD_PLUGINDIR={}", collectd.display()),
    ];
    arguments.extend_from_slice(more);
    make(&arguments)
}

/// Ends a test where there is no make, and says so.
macro_rules! needs_make {
    () => {
        if !installed("make") {
            skipped("there is no make");
            return Ok(());
        }
    };
}

/// Whether the Fluent Bit plugin in a folder finds its library with no help.
fn assert_works(plugins: &Path) -> Result<()> {
    let mut host = Host::start(&Setup {
        plugins: Some(plugins),
        companion: true,
        ..Setup::default()
    })?;
    let record = USUAL.record(1_700_000_000, &map([("log", "a line".into())]));
    ensure!(host.filter(&record)?.is_some(), "{}", host.log());
    Ok(())
}

#[test]
fn plugins_under_any_prefix_find_their_library() -> Result<()> {
    needs_make!();
    let (folder, build) = build()?;
    let prefix = folder.path().join("opt/bw");
    let (success, said) = install(&build, &prefix, &[])?;
    ensure!(success, "{said}");
    assert_works(&prefix.join("lib/fluent-bit"))?;
    assert!(prefix.join("share/bellwether/parsers.conf").is_file());
    // Its folder is the daemon's own, where nothing leads from to the library.
    let link = folder.path().join("opt/collectd").join(LIBRARY);
    if !said.contains("skipped: collectd plugin") {
        assert_eq!(
            fs::read_link(link)?,
            prefix.join("lib").join(LIBRARY),
            "{said}"
        );
    }

    let elsewhere = folder.path().join("elsewhere");
    let more = format!("FLUENTBIT_PLUGINDIR={}", elsewhere.display());
    let (success, said) = install(&build, &prefix, &[more])?;
    ensure!(success, "{said}");
    assert_works(&elsewhere)
}

#[test]
fn of_the_commands_the_one_for_operators_alone_is_installed() -> Result<()> {
    needs_make!();
    let (folder, build) = build()?;
    let laboratory = "bellwether-lab";
    fs::copy(
        Plugin::build()?.folder().join(laboratory),
        build.join(laboratory),
    )?;
    let prefix = folder.path().join("opt/bw");
    let (success, said) = install(&build, &prefix, &[])?;
    ensure!(success, "{said}");
    let names = |folder: &str| -> Result<Vec<String>> {
        let entries = fs::read_dir(prefix.join(folder))?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    };
    assert_eq!(names("bin")?, ["bellwether"]);
    assert_eq!(names("share/zsh/site-functions")?, ["_bellwether"]);
    let pages = names("share/man/man1")?;
    assert!(
        pages
            .iter()
            .any(|page| page == "bellwether-replay-metrics.1"),
        "{pages:?}"
    );
    let of_the_laboratory = ["evaluate", "generate", "tune", "lab"];
    let found = pages
        .iter()
        .find(|page| of_the_laboratory.iter().any(|name| page.contains(name)));
    assert_eq!(found, None);
    Ok(())
}

#[test]
fn a_staged_installation_has_links_to_where_it_will_be() -> Result<()> {
    needs_make!();
    let (folder, build) = build()?;
    let more = [
        format!("DESTDIR={}", folder.path().display()),
        "FLUENTBIT_PLUGINDIR=/srv/plugins".to_owned(),
    ];
    let (success, said) = install(&build, Path::new("/opt/bw"), &more)?;
    ensure!(success, "{said}");
    let link = folder.path().join("srv/plugins").join(LIBRARY);
    assert_eq!(fs::read_link(link)?, Path::new("/opt/bw/lib").join(LIBRARY));
    Ok(())
}

#[test]
fn what_was_left_out_of_the_build_is_not_installed_and_listed() -> Result<()> {
    needs_make!();
    let (folder, build) = build()?;
    fs::write(
        build.join("collectd-plugin.skipped"),
        "collectd plugin (no headers: install collectd-dev)\n",
    )?;
    let prefix = folder.path().join("opt/bw");
    let (success, said) = install(&build, &prefix, &[])?;
    ensure!(success, "{said}");
    assert_eq!(
        said.lines().rev().find(|l| l.starts_with("skipped: ")),
        Some("skipped: collectd plugin (no headers: install collectd-dev)"),
        "{said}"
    );
    assert!(!folder.path().join("opt/collectd").exists(), "{said}");
    assert!(
        prefix
            .join("lib/fluent-bit/flb-filter_bellwether.so")
            .exists()
    );
    assert!(!prefix.join("share/man/man5/collectd-bellwether.5").exists());
    Ok(())
}

#[test]
fn a_library_without_what_collectd_calls_is_never_installed_as_its_plugin() -> Result<()> {
    needs_make!();
    let (folder, build) = build()?;
    fs::copy(
        build.join("libbellwether.so"),
        build.join("libbellwether_collectd.so"),
    )?;
    let skipped = build.join("collectd-plugin.skipped");
    assert!(!skipped.exists());
    let (success, said) = install(&build, &folder.path().join("opt/bw"), &[])?;
    assert!(!success && said.contains("is no plugin"), "{said}");
    assert!(!folder.path().join("opt/collectd/bellwether.so").exists());
    Ok(())
}

/// What cargo says of the collectd plugin with the headers that `named` names, and what the build left beside it.
fn checked(target: &Path, named: &str) -> Result<(bool, String, Option<String>)> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "check",
            "--locked",
            "-p",
            "bellwether-collectd",
            "--target-dir",
        ])
        .arg(target)
        .env("COLLECTD_INCLUDE_DIR", named)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let skipped = fs::read_to_string(target.join("debug/collectd-plugin.skipped")).ok();
    Ok((output.status.success(), said, skipped))
}

#[test]
fn without_headers_the_workspace_builds_and_with_those_of_collectd_6_it_says_why_not() -> Result<()>
{
    let folder = tempfile::tempdir()?;
    let target = folder.path().join("target");
    let (success, said, skipped) = checked(&target, "none")?;
    assert!(
        success && said.contains("the collectd plugin is not built: "),
        "{said}"
    );
    assert_eq!(
        skipped.as_deref(),
        Some("collectd plugin (COLLECTD_INCLUDE_DIR is \"none\")\n")
    );

    let headers = folder.path().join("collectd");
    fs::create_dir_all(headers.join("core/daemon"))?;
    fs::write(headers.join("core/daemon/plugin.h"), "")?;
    fs::write(
        headers.join("core/config.h"),
        "#define PACKAGE_VERSION \"6.0.0\"\n",
    )?;
    let (success, said, _) = checked(&target, &headers.display().to_string())?;
    assert!(!success && said.contains("are of collectd 6.0.0"), "{said}");

    let (success, said, _) = checked(&target, "/nowhere")?;
    assert!(
        !success && said.contains("COLLECTD_INCLUDE_DIR is /nowhere"),
        "{said}"
    );
    Ok(())
}

/// What `tests/setup.sh build` says and does as root on a machine without a compiler: `marks` are files under its root, `users` lines
/// of its `/etc/passwd`. Also whether it has called apt-get.
fn set_up(variables: &[(&str, &str)], marks: &[&str], users: &str) -> Result<(String, bool)> {
    let folder = tempfile::tempdir()?;
    let machine = folder.path().join("machine");
    for mark in [&["etc/passwd", "home/ada/.profile"], marks].concat() {
        let mark = machine.join(mark);
        fs::create_dir_all(mark.parent().context("a file in a folder")?)?;
        fs::write(mark, users)?;
    }
    let programs = folder.path().join("bin");
    fs::create_dir(&programs)?;
    let called = folder.path().join("called");
    let program = |name: &str, line: &str| -> Result<()> {
        let file = programs.join(name);
        fs::write(&file, format!("#!/bin/sh\n{line}\n"))?;
        Ok(fs::set_permissions(&file, Permissions::from_mode(0o755))?)
    };
    program("id", "echo 0")?;
    program(
        "apt-get",
        &format!("echo called >>{}; exit 1", called.display()),
    )?;
    // Whatever else is called does nothing: it gets no further than to a package that apt-get cannot install.
    for name in ["mktemp", "tail", "rm", "chmod"] {
        program(name, &format!("echo {}", folder.path().display()))?;
    }
    let mut command = Command::new("/bin/sh");
    command.arg(root().join("tests/setup.sh")).arg("build");
    command.env_clear().env("PATH", &programs);
    command
        .env("HOME", folder.path())
        .env("SETUP_ROOT", &machine);
    command.envs(variables.iter().copied());
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(!output.status.success(), "there is no compiler");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((said, called.exists()))
}

const ADA: &str = "root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000::/home/ada:/bin/bash\n";
const NOBODY: &str =
    "root:x:0:0:root:/root:/bin/bash\nwww:x:1001:1001::/home/ada:/usr/sbin/nologin\n";

#[test]
fn on_a_workstation_nothing_is_installed_unasked() -> Result<()> {
    let sudo = ("SUDO_USER", "ada");
    for (variables, users) in [
        (&[][..], ADA),
        (&[("SETUP", "auto")], ADA),
        (&[sudo], NOBODY),
    ] {
        let (said, installs) = set_up(variables, &[], users)?;
        assert!(!installs, "{said}");
        assert!(
            said.contains("missing: gcc") && said.contains("make setup"),
            "{said}"
        );
    }
    let (said, installs) = set_up(&[("SETUP", "yes")], &[], ADA)?;
    assert!(installs && said.contains("installing gcc"), "{said}");
    Ok(())
}

#[test]
fn in_a_container_and_where_nobody_has_an_account_what_is_missing_is_installed() -> Result<()> {
    for (marks, users) in [
        (&[".dockerenv"][..], ADA),
        (&["run/.containerenv"], ADA),
        (&["run/systemd/container"], ADA),
        (&[], NOBODY),
    ] {
        let (said, installs) = set_up(&[], marks, users)?;
        assert!(installs, "{marks:?}: {said}");
        let (said, installs) = set_up(&[("SETUP", "no")], marks, users)?;
        assert!(!installs, "{marks:?}: {said}");
    }
    Ok(())
}

#[test]
fn with_setup_no_nothing_is_installed_on_the_system() -> Result<()> {
    // With no PATH there is nothing that could be found, and no apt-get, but the shell's own words suffice to say so.
    let output = Command::new("/bin/sh")
        .arg(root().join("tests/setup.sh"))
        .env("SETUP", "no")
        .env("PATH", "/nowhere")
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("nothing is installed with SETUP=no"),
        "{said}"
    );
    Ok(())
}

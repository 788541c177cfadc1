//! The built objects are hardened as distributions want theirs.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use bellwether_tests::skipped;
use bellwether_tests::testbed::plugin::{Plugin, left_out};

/// What `readelf` says of an object.
fn readelf(arguments: &[&str], object: &Path) -> Result<String> {
    let output = Command::new("readelf")
        .args(arguments)
        .arg(object)
        .env("LC_ALL", "C")
        .output()
        .context("readelf cannot be run")?;
    ensure!(output.status.success(), "{output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn no_built_object_can_be_relocated_late_or_has_an_executable_stack() -> Result<()> {
    let plugin = Plugin::build()?;
    for name in [
        "libbellwether.so",
        "libbellwether_collectd.so",
        "libbellwether_fluentbit.so",
    ] {
        let object = plugin.folder().join(name);
        let segments = readelf(&["-lW"], &object)?;
        let stack = segments.lines().find(|line| line.contains("GNU_STACK"));
        ensure!(
            stack.is_some_and(|line| line.contains(" RW ")),
            "{name} has an executable stack: {stack:?}"
        );
        ensure!(segments.contains("GNU_RELRO"), "{name} has no RELRO");
        let dynamic = readelf(&["-dW"], &object)?;
        ensure!(
            dynamic.contains("BIND_NOW") || dynamic.contains("Flags: NOW"),
            "{name} is bound lazily: {dynamic}"
        );
        ensure!(!dynamic.contains("TEXTREL"), "{name} has text relocations");
    }
    Ok(())
}

#[test]
fn the_shim_for_collectd_notices_a_smashed_stack() -> Result<()> {
    let plugin = Plugin::build()?;
    if let Some(why) = left_out() {
        skipped(why);
        return Ok(());
    }
    let object = plugin.folder().join("libbellwether_collectd.so");
    let symbols = readelf(&["--dyn-syms", "-W"], &object)?;
    ensure!(
        symbols.contains("__stack_chk_fail"),
        "nothing in it has a stack protector"
    );
    Ok(())
}

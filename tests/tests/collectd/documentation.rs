//! What the documentation shows is what a real collectd takes.

use bellwether_tests::collectd::{check, not_loadable};
use bellwether_tests::documentation::{all_blocks, examples, file};
use bellwether_tests::fluentbit::free_port;

use super::*;

/// Every configuration in the documentation.
fn configurations() -> Result<Vec<String>> {
    let mut all = all_blocks()?;
    all.extend(examples(&file("collectd-plugin/collectd-bellwether.5")?));
    let begins = |line: &&str| line.starts_with("LoadPlugin ") || line.starts_with("<Plugin ");
    let from_begin = all.iter().filter_map(|block| {
        // Commands may come before it.
        let first = block.lines().find(begins)?;
        Some(block[block.find(first)?..].to_owned())
    });
    Ok(from_begin.collect())
}

/// The configuration for this machine: paths in the folder that `@FOLDER@` stands for, guests of libvirt's own for tests, and
/// the loopback.
fn placed(configuration: &str) -> Result<String> {
    let listen = format!("Listen \"127.0.0.1\" \"{}\"", free_port()?);
    // Without a connection of its own it takes what libvirt takes for this machine's.
    let virt = match configuration.contains("virt") && !configuration.contains("Connection ") {
        true => "<Plugin \"virt\">\n  Connection \"test:///default\"\n</Plugin>\n",
        false => "",
    };
    Ok([configuration, virt]
        .concat()
        .replace("/var/lib/collectd/", "@FOLDER@/")
        .replace("qemu:///system", "test:///default")
        .replace("//alertmanager:", "//127.0.0.1:")
        .replace("Listen \"::\"", &listen)
        .replace("/etc/collectd/auth_file", "@FOLDER@/auth_file")
        .replace("central.example.org", "127.0.0.1"))
}

#[test]
fn every_configuration_in_the_documentation_is_one_that_collectd_takes() -> Result<()> {
    needs_collectd!();
    let configurations = configurations()?;
    assert!(configurations.len() >= 9, "{configurations:#?}");
    for configuration in configurations {
        let configuration = placed(&configuration)?;
        if let Some(plugin) = not_loadable(&configuration)? {
            skipped(format!("collectd's {plugin} lacks libraries"));
            continue;
        }
        let (taken, said) = check(&configuration)?;
        assert!(taken, "{configuration}\n{said}");
    }
    Ok(())
}

#[test]
fn trying_a_configuration_shows_the_mistakes_in_it() -> Result<()> {
    needs_collectd!();
    for (plugin, line, wanted) in [
        ("bellwether", "Quorm 0.5", "did you mean IadQuorum?"),
        ("bellwether", "Threshold \"high\"", "it takes 0 to 1000000"),
        ("exec", "NotificatinExec \"nobody\"", "NotificatinExec"),
        ("virt", "Conection \"test:///default\"", "Conection"),
    ] {
        let (taken, said) = check(&format!("<Plugin \"{plugin}\">\n  {line}\n</Plugin>\n"))?;
        assert!(!taken && said.contains(wanted), "{wanted} in {said}");
    }
    Ok(())
}

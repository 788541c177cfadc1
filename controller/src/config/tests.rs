use super::*;

fn error(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_configuration_is_valid_and_moves_nothing() {
    let config = Config::parse("").unwrap();
    assert!(config.server.listen.ip().is_loopback());
    let words = explain(&config).join("\n");
    assert!(words.contains("It moves nothing"), "{words}");
}

#[test]
fn a_misspelled_section_or_setting_is_refused_with_the_nearest_name() {
    let unknown = error("[sever]\n");
    assert!(unknown.contains("did you mean \"server\"?"), "{unknown}");
    let unknown = error("[server]\nlissten = \"127.0.0.1:1\"\n");
    assert!(unknown.contains("did you mean \"listen\"?"), "{unknown}");
    let unknown = error("[policy]\nmodee = \"auto\"\n");
    assert!(unknown.contains("did you mean \"mode\"?"), "{unknown}");
    let unknown = error("listen = 3\n");
    assert!(unknown.contains("unknown section \"listen\""), "{unknown}");
}

#[test]
fn a_value_of_another_type_or_outside_of_its_range_is_refused_with_what_is_allowed() {
    for (text, part) in [
        ("[ingest]\nqueue_length = 0", "1 to 1000000"),
        ("[ingest]\nqueue_length = \"many\"", "1 to 1000000"),
        ("[server]\nlisten = \"here\"", "an address and a port"),
        (
            "[hooks]\nevacuate = \"run this\"",
            "a program and its arguments",
        ),
        ("[policy]\nwindow_sec = 1", "10 to 86400"),
        ("[risk]\nhorizon = 20", "10, 30"),
    ] {
        let error = error(text);
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn listening_beyond_loopback_needs_a_token_and_tls() {
    let listen = "[server]\nlisten = \"0.0.0.0:9470\"\n";
    assert!(error(listen).contains("token_file"));
    let token = format!("{listen}token_file = \"/t\"\n");
    assert!(error(&token).contains("tls_cert"));
    let half = format!("{token}tls_cert = \"/c\"\n");
    assert!(error(&half).contains("need each other"));
    Config::parse(&format!("{half}tls_key = \"/k\"\n")).unwrap();
}

#[test]
fn auto_without_its_conditions_and_hooks_without_a_program_are_refused() {
    let auto = error("[policy]\nmode = \"auto\"\n");
    assert!(
        auto.contains("max_hosts") && auto.contains("group_labels"),
        "{auto}"
    );
    let hooks = error("[executor]\nkind = \"hooks\"\n");
    assert!(hooks.contains("\"evacuate\""), "{hooks}");
    let other = error("[executor]\nkind = \"hook\"\n");
    assert!(other.contains("did you mean \"hooks\"?"), "{other}");
}

#[test]
fn libvirt_without_a_rule_for_targets_of_its_own_and_with_a_uri_that_names_no_host_is_refused() {
    let libvirt = "[executor]\nkind = \"libvirt\"\n";
    Config::parse(libvirt).unwrap();
    let platform = error(&format!("{libvirt}[policy]\ntargets = \"platform\"\n"));
    assert!(platform.contains("\"green\""), "{platform}");
    for (setting, part) in [
        ("uri = \"qemu:///system\"", "{host}"),
        ("peer_uri = \"-x://{host}\"", "\"peer_uri\""),
        ("hosts = [\"kvm1\"]", "\"kvm1=URI\""),
        ("hosts = [\"-kvm1=qemu:///system\"]", "a letter or a digit"),
        ("shared_paths = [\"images\"]", "absolute"),
        ("apart = [\"db1\"]", "at least two"),
    ] {
        let error = error(&format!("{libvirt}[libvirt]\n{setting}\n"));
        assert!(error.contains(part), "{setting}: {error}");
    }
}

#[test]
fn a_list_of_the_policy_may_be_written_as_one() {
    let config = Config::parse("[policy]\ngroup_labels = [\"rack\", \"switch\"]\n").unwrap();
    assert_eq!(config.policy.group_labels, "rack,switch");
}

#[test]
fn every_default_in_the_documentation_is_the_one_in_force() {
    let mut text = String::new();
    for section in SECTIONS {
        text += &format!("[{section}]\n");
        for row in rows().iter().filter(|row| row.section == section) {
            text += &format!("{} = {}\n", row.name, row.default);
        }
    }
    assert_eq!(Config::parse(&text).unwrap(), Config::default());
}

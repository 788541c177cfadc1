//! The command as a user runs it.

mod common;

use common::{failure, stdout};

#[test]
fn every_command_has_help_and_the_first_page_says_that_it_is_not_installed() {
    let help = stdout(&["--help"]);
    let words: Vec<&str> = help.split_whitespace().collect();
    let help = words.join(" ");
    assert!(
        help.contains("\"make install\" and the packages leave it out"),
        "{help}"
    );
    for command in [
        ["generate", "metrics"],
        ["generate", "logs"],
        ["generate", "host"],
        ["evaluate", "metrics"],
        ["evaluate", "logs"],
        ["evaluate", "online"],
        ["evaluate", "resources"],
        ["evaluate", "risk"],
        ["train", "sequence"],
        ["train", "resources"],
        ["tune", "metrics"],
        ["tune", "logs"],
        ["tune", "risk"],
    ] {
        let help = stdout(&[&command[..], &["--help"]].concat());
        let usage = format!("Usage: bellwether-lab {} {}", command[0], command[1]);
        assert!(help.contains(&usage), "{help}");
        assert!(!help.contains('\\'), "{help}");
    }
}

#[test]
fn an_error_is_exit_status_2_where_the_command_line_is_wrong_and_1_where_the_data_are() {
    let (code, errors) = failure(&["evaluate", "metrics", "--vms", "-3"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("invalid value '-3' for '--vms"), "{errors}");
    let contradiction = ["evaluate", "metrics", "--set", "forget_sec=300"];
    let (code, errors) = failure(&contradiction);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("Usage: bellwether-lab"), "{errors}");
    let (code, errors) = failure(&["evaluate", "metrics", "/nowhere"]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.starts_with("bellwether-lab: "), "{errors}");
}

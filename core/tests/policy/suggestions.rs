//! Suggestions from their beginning to their end, and what is refused.

use std::collections::BTreeMap;

use bellwether_core::event::{EventKind, IncidentId, State};
use bellwether_core::policy::{
    Action, EvidenceKind, Finding, Health, Input, InputError, Outputs, Phase, Rule, SuggestionId,
    Verdict, What,
};
use bellwether_core::units::Time;

use crate::site::{NOON, Site, actions, evacuated, finding};

#[test]
fn an_incident_is_acted_upon_once_and_only_new_ones_lead_to_a_new_suggestion() {
    let mut site = Site::auto(&[("cooldown_sec", "600")]);
    site.redden("hv1");
    site.end(1);
    // The same conditions go on.
    for seconds in [1000.0, 2000.0] {
        for kind in [EvidenceKind::Metrics, EvidenceKind::Resource] {
            let reported = Time::from_secs(NOON + seconds);
            let update = Finding {
                state: State::Updated,
                reported,
                ..finding("hv1", kind, 0.0)
            };
            assert!(site.at(seconds, What::Finding(update)).decisions.is_empty());
        }
    }
    assert_eq!(site.health("hv1"), Health::Red);
    // One new condition is one kind; a second one makes two.
    site.tick(3000.0);
    assert!(
        site.find(finding("hv1", EvidenceKind::Log, 3000.0))
            .decisions
            .is_empty()
    );
    let out = site.find(finding("hv1", EvidenceKind::Metrics, 3000.0));
    assert_eq!(evacuated(&out), ["hv1"]);
}

#[test]
fn nothing_is_suggested_about_a_host_during_its_cooldown() {
    let mut site = Site::new(&[("cooldown_sec", "600")]);
    site.redden("hv1");
    let out = site.dismiss(1, Verdict::False);
    assert_eq!(actions(&out), [(Action::Withdraw, Rule::Dismissed)]);
    assert!(out.decisions[0].reasons[0].contains("ada"), "{out:?}");
    site.tick(100.0);
    assert!(site.redden("hv1").decisions.is_empty());
    assert!(site.tick(599.0).decisions.is_empty());
    // What began during the cooldown and still stands counts after it.
    assert_eq!(
        actions(&site.tick(601.0)),
        [(Action::Suggest, Rule::TwoKinds)]
    );
}

#[test]
fn a_suggestion_that_waits_for_too_long_is_withdrawn_and_not_repeated() {
    let mut site = Site::new(&[("suggestion_sec", "3600")]);
    site.redden("hv1");
    assert_eq!(
        actions(&site.tick(3601.0)),
        [(Action::Withdraw, Rule::Expired)]
    );
    assert!(site.tick(7200.0).decisions.is_empty());
}

#[test]
fn an_approval_that_a_rule_forbids_is_refused_and_can_be_repeated() {
    let mut site = Site::new(&[("mode", "confirm"), ("hold_down_sec", "0")]);
    site.redden("hv1");
    site.apply(What::Pause {
        by: "bob".into(),
        reason: String::new(),
    });
    let out = site.approve(1);
    assert_eq!(actions(&out), [(Action::Refuse, Rule::Paused)]);
    assert!(out.decisions[0].reasons[0].contains("bob"), "{out:?}");
    assert!(
        site.apply(What::Resume { by: "bob".into() })
            .decisions
            .is_empty()
    );
    assert_eq!(evacuated(&site.approve(1)), ["hv1"]);
}

#[test]
fn what_a_suggestion_does_not_wait_for_is_refused_with_what_would_be_right() {
    let mut site = Site::auto(&[]);
    site.redden("hv1");
    let error = |out: Outputs| out.refused.unwrap().to_string();
    assert!(error(site.approve(7)).contains("no open suggestion 7"));
    assert!(error(site.approve(1)).contains("its evacuation has begun"));
    assert!(error(site.dismiss(1, Verdict::False)).contains("cancel its evacuation first"));
    site.redden("hv2");
    assert!(site.approve(2).is_empty());
    assert!(error(site.approve(2)).contains("it is approved"));
    assert!(error(site.end(2)).contains("has not begun"));
    let (id, by) = (SuggestionId(2), String::new());
    let out = site.apply(What::Approve { id, by });
    assert!(error(out).contains("the name of the person has 0 bytes"));
}

#[test]
fn a_refused_input_does_not_hide_what_time_has_brought() {
    let mut site = Site::auto(&[("hold_down_sec", "30")]);
    site.redden("hv1");
    site.now = 31.0;
    let out = site.approve(99);
    assert!(out.refused.is_some());
    assert_eq!(evacuated(&out), ["hv1"]);
}

#[test]
fn a_report_from_the_future_or_without_a_plausible_time_is_refused_and_moves_no_clock() {
    let mut site = Site::new(&[]);
    site.tick(0.0);
    let refused = |out: Outputs| out.refused.unwrap();
    let ahead = refused(site.find(finding("hv1", EvidenceKind::Log, 301.0)));
    assert!(matches!(ahead, InputError::ClockSkew { .. }), "{ahead}");
    let nan = Finding {
        since: Time::from_secs(f64::NAN),
        ..finding("hv1", EvidenceKind::Log, 0.0)
    };
    assert!(matches!(refused(site.find(nan)), InputError::Time(_)));
    let out = site.policy.apply(&Input {
        time: Time::from_secs(f64::INFINITY),
        what: What::Tick,
    });
    assert!(matches!(refused(out), InputError::Time(_)));
    assert_eq!(site.policy.status().time, Some(Time::from_secs(NOON)));
    assert_eq!(site.policy.host("hv1"), None);
    assert_eq!(site.policy.status().counters.refused, 3);
}

#[test]
fn a_name_that_is_empty_or_too_long_is_refused() {
    let mut site = Site::new(&[]);
    let out = site.find(finding(&"x".repeat(513), EvidenceKind::Log, 0.0));
    assert!(matches!(
        out.refused,
        Some(InputError::Name { bytes: 513, .. })
    ));
    assert_eq!(
        site.find(finding("", EvidenceKind::Log, 0.0)).refused,
        Some(InputError::NoHost)
    );
    let hosts = [(
        "hv1".to_owned(),
        [("rack".to_owned(), "x".repeat(129))].into(),
    )]
    .into();
    let refused = site
        .apply(What::Topology { hosts })
        .refused
        .unwrap()
        .to_string();
    assert!(
        refused.contains("129 bytes; it takes 1 to 128"),
        "{refused}"
    );
}

#[test]
fn hosts_beyond_the_limit_are_refused_and_counted_and_known_ones_stay() {
    let mut site = Site::new(&[("max_hypervisors", "2")]);
    for host in ["hv1", "hv2", "hv3", "hv4"] {
        site.find(finding(host, EvidenceKind::Log, 0.0));
    }
    let status = site.policy.status();
    assert_eq!((status.hosts, status.counters.hosts_refused), (2, 2));
    assert_eq!(
        actions(&site.redden("hv1")),
        [(Action::Suggest, Rule::TwoKinds)]
    );
}

#[test]
fn a_flood_of_forged_conditions_does_not_displace_real_ones() {
    let mut site = Site::new(&[]);
    site.find(finding("hv1", EvidenceKind::Metrics, 0.0));
    for i in 0..200 {
        let incident = IncidentId::new(EventKind::LogFailure, &["forged"], Time::from_secs(1.0), i);
        let forged = Finding {
            incident,
            trusted: false,
            ..finding("hv1", EvidenceKind::Log, 0.0)
        };
        site.find(forged);
    }
    let out = site.find(finding("hv1", EvidenceKind::Log, 0.0));
    assert_eq!(actions(&out), [(Action::Suggest, Rule::TwoKinds)]);
}

#[test]
fn targets_share_what_they_must_and_nothing_that_they_must_not() {
    let mut site = Site::new(&[("target_same", "pool"), ("target_other", "rack")]);
    let host = |name: &str, pool: &str, rack: &str| {
        let labels = [
            ("pool".to_owned(), pool.to_owned()),
            ("rack".to_owned(), rack.to_owned()),
        ];
        (name.to_owned(), labels.into())
    };
    let hosts = [
        host("hv1", "a", "1"),
        host("near", "a", "1"),
        host("right", "a", "2"),
        host("elsewhere", "b", "2"),
        host("unlabeled", "a", ""),
        host("yellow", "a", "3"),
    ];
    site.apply(What::Topology {
        hosts: BTreeMap::from(hosts),
    });
    site.find(finding("yellow", EvidenceKind::Log, 0.0));
    assert_eq!(site.policy.targets("hv1").collect::<Vec<_>>(), ["right"]);
    for (target, part) in [
        ("hv1", "is evacuated"),
        ("near", "its rack is 1"),
        ("elsewhere", "its pool is b"),
        ("unlabeled", "the rack of one of the two is unknown"),
        ("yellow", "it is yellow"),
        ("stranger", "not in the topology"),
    ] {
        let why = site.policy.may_receive("hv1", target).unwrap_err();
        assert!(why.contains(part), "{target}: {why}");
    }
}

#[test]
fn what_would_have_started_by_itself_needs_a_person_after_a_restart_in_another_mode() {
    let mut auto = Site::auto(&[("hold_down_sec", "30")]);
    auto.redden("hv1");
    let bytes = auto.policy.snapshot().to_vec();
    let mut confirm = Site::new(&[("mode", "confirm")]);
    confirm.policy.restore(&bytes).unwrap();
    assert!(confirm.tick(60.0).decisions.is_empty());
    let (_, suggestion) = confirm.policy.suggestions().next().unwrap();
    assert_eq!(suggestion.phase, Phase::Suggested);
    assert_eq!(evacuated(&confirm.approve(1)), ["hv1"]);
}

#[test]
fn a_snapshot_that_is_damaged_or_over_a_limit_is_refused_and_the_policy_stays_as_it_is() {
    let mut site = Site::new(&[]);
    site.redden("hv1");
    site.redden("hv2");
    let bytes = site.policy.snapshot().to_vec();
    let mut small = Site::new(&[("max_hypervisors", "1")]);
    let error = small.policy.restore(&bytes).unwrap_err().to_string();
    assert!(error.contains("max_hypervisors"), "{error}");
    let before = site.policy.status();
    for at in [0, 30, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        assert!(site.policy.restore(&damaged).is_err(), "{at}");
    }
    assert!(site.policy.restore(&bytes[..bytes.len() - 3]).is_err());
    assert_eq!(site.policy.status(), before);
}

#[test]
fn hosts_without_evidence_are_forgotten_unless_the_topology_has_them() {
    let mut site = Site::new(&[("forget_sec", "86400"), ("evidence_sec", "3600")]);
    site.racks(2, 2);
    for host in ["hv0", "stranger"] {
        site.find(finding(host, EvidenceKind::Log, 0.0));
    }
    site.tick(3.0 * 86_400.0);
    assert!(
        site.policy
            .host("hv0")
            .is_some_and(|host| host.health == Health::Green)
    );
    assert_eq!(site.policy.host("stranger"), None);
}

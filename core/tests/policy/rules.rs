//! What suffices for an evacuation, and what holds it.

use bellwether_core::event::{EventKind, State};
use bellwether_core::inference::Family;
use bellwether_core::policy::{
    Action, Decision, EvidenceKind, Finding, Health, InputError, Origin, Rule, Step, SuggestionId,
    What,
};
use bellwether_core::units::{Share, Time};

use crate::site::{NOON, Site, actions, cleared, evacuated, finding, log};

#[test]
fn one_kind_of_evidence_makes_a_host_yellow_and_two_kinds_make_a_suggestion_with_its_reasons() {
    let mut site = Site::new(&[]);
    let out = site.find(finding("hv1", EvidenceKind::Metrics, 0.0));
    assert_eq!(
        (out.health[0].from, out.health[0].to),
        (Health::Green, Health::Yellow)
    );
    assert!(
        out.health[0].reason.contains("metrics of hv1"),
        "{:?}",
        out.health
    );
    assert!(out.decisions.is_empty());
    let out = site.find(finding("hv1", EvidenceKind::Log, 0.0));
    assert_eq!(actions(&out), [(Action::Suggest, Rule::TwoKinds)]);
    let Decision {
        number,
        id,
        host,
        reasons,
        ..
    } = &out.decisions[0];
    assert_eq!(
        (*number, *id, host.as_str()),
        (1, Some(SuggestionId(1)), "hv1")
    );
    let reasons = reasons.join("\n");
    for part in [
        "two kinds of evidence within 15 min",
        "metrics of hv1",
        "log of hv1",
        "by hand",
    ] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
}

#[test]
fn a_log_failure_of_a_family_from_the_list_suffices_alone_and_of_another_family_does_not() {
    let mut site = Site::new(&[("log_families", "hardware,storage")]);
    assert!(
        site.find(log("hv1", Family::Network, 0.0))
            .decisions
            .is_empty()
    );
    let out = site.find(log("hv2", Family::Storage, 0.0));
    assert_eq!(actions(&out), [(Action::Suggest, Rule::LogFamily)]);
}

#[test]
fn evidence_that_is_provisional_untrusted_or_not_about_the_host_itself_never_makes_it_red() {
    let base = finding("hv1", EvidenceKind::Metrics, 0.0);
    let weak = [
        (
            Finding {
                provisional: true,
                ..base.clone()
            },
            Health::Yellow,
        ),
        (
            Finding {
                trusted: false,
                ..base.clone()
            },
            Health::Yellow,
        ),
        (
            Finding {
                origin: Origin::Silence,
                ..base.clone()
            },
            Health::Yellow,
        ),
        (
            Finding {
                origin: Origin::Fleet,
                ..base.clone()
            },
            Health::Yellow,
        ),
        (
            Finding {
                origin: Origin::Internal,
                ..base.clone()
            },
            Health::Green,
        ),
        (finding("hv1", EvidenceKind::Risk, 0.0), Health::Yellow),
    ];
    for (weak, alone) in weak {
        let mut site = Site::auto(&[]);
        assert!(site.find(weak.clone()).decisions.is_empty());
        assert_eq!(site.health("hv1"), alone, "{weak:?}");
        assert!(
            site.find(finding("hv1", EvidenceKind::Log, 0.0))
                .decisions
                .is_empty()
        );
        assert_eq!(site.health("hv1"), Health::Yellow, "{weak:?}");
    }
    // Nor does such a log failure suffice alone.
    let mut site = Site::auto(&[]);
    let forged = Finding {
        trusted: false,
        ..log("hv1", Family::Hardware, 0.0)
    };
    assert!(site.find(forged).decisions.is_empty());
}

#[test]
fn a_forged_report_of_a_real_condition_changes_nothing_about_it() {
    let mut site = Site::auto(&[]);
    let real = log("hv1", Family::Network, 0.0);
    site.find(real.clone());
    let forged = Finding {
        trusted: false,
        family: Some(Family::Hardware),
        state: State::Updated,
        ..real.clone()
    };
    assert!(site.find(forged).decisions.is_empty());
    // Nor does a forged beginning make a real report older than it is.
    let mut site = Site::auto(&[]);
    let raised = Finding {
        trusted: false,
        ..finding("hv1", EvidenceKind::Log, 0.0)
    };
    site.find(raised.clone());
    site.find(finding("hv1", EvidenceKind::Metrics, 0.0));
    let reported = Time::from_secs(NOON + 2000.0);
    let update = Finding {
        trusted: true,
        state: State::Updated,
        reported,
        ..raised
    };
    assert!(site.at(2000.0, What::Finding(update)).decisions.is_empty());
}

#[test]
fn two_kinds_agree_only_if_their_reports_are_within_the_window_of_each_other() {
    let mut site = Site::new(&[("window_sec", "900")]);
    site.find(finding("hv1", EvidenceKind::Metrics, 0.0));
    site.at(
        901.0,
        What::Finding(finding("hv1", EvidenceKind::Resource, 901.0)),
    );
    assert_eq!(site.health("hv1"), Health::Yellow);
    let mut site = Site::new(&[("window_sec", "900")]);
    let log = finding("hv1", EvidenceKind::Log, 0.0);
    site.find(log.clone());
    site.at(
        900.0,
        What::Finding(finding("hv1", EvidenceKind::Resource, 900.0)),
    );
    assert_eq!(site.health("hv1"), Health::Red);
    // A condition that goes on for hours still agrees with what began beside it.
    let reported = Time::from_secs(NOON + 7200.0);
    let update = Finding {
        state: State::Updated,
        reported,
        ..log
    };
    let out = site.at(7200.0, What::Finding(update));
    assert!(out.is_empty(), "{out:?}");
    assert_eq!(site.health("hv1"), Health::Red);
}

#[test]
fn a_suggestion_is_withdrawn_when_its_evidence_ends() {
    let mut site = Site::new(&[]);
    let metrics = finding("hv1", EvidenceKind::Metrics, 0.0);
    site.find(metrics.clone());
    site.find(finding("hv1", EvidenceKind::Log, 0.0));
    let out = site.at(60.0, What::Finding(cleared(&metrics, 60.0)));
    assert_eq!(actions(&out), [(Action::Withdraw, Rule::EvidenceEnded)]);
    assert_eq!(site.health("hv1"), Health::Yellow);
    assert_eq!(site.policy.suggestions().len(), 0);
}

#[test]
fn a_log_that_became_quiet_is_still_evidence_within_the_window_unless_a_person_called_it_no_failure()
 {
    for (retracted, expected) in [(false, Health::Red), (true, Health::Yellow)] {
        let mut site = Site::new(&[]);
        let log = finding("hv1", EvidenceKind::Log, 0.0);
        site.find(log.clone());
        let end = Finding {
            retracted,
            ..cleared(&log, 60.0)
        };
        site.at(60.0, What::Finding(end));
        site.at(
            120.0,
            What::Finding(finding("hv1", EvidenceKind::Metrics, 120.0)),
        );
        assert_eq!(site.health("hv1"), expected);
        site.tick(1000.0);
        assert_eq!(site.health("hv1"), Health::Yellow);
    }
}

#[test]
fn the_mode_decides_who_starts_an_evacuation() {
    let mut suggest = Site::new(&[]);
    suggest.redden("hv1");
    let out = suggest.approve(1);
    assert_eq!(out.refused, Some(InputError::OnlySuggests));
    assert!(out.decisions.is_empty());

    let mut confirm = Site::new(&[("mode", "confirm"), ("hold_down_sec", "0")]);
    assert_eq!(
        actions(&confirm.redden("hv1")),
        [(Action::Suggest, Rule::TwoKinds)]
    );
    assert!(confirm.tick(3000.0).decisions.is_empty());
    let out = confirm.approve(1);
    assert_eq!(actions(&out), [(Action::Evacuate, Rule::Approved)]);
    assert!(out.decisions[0].reasons[0].contains("ada"));

    let mut auto = Site::auto(&[("hold_down_sec", "30")]);
    assert_eq!(
        actions(&auto.redden("hv1")),
        [(Action::Hold, Rule::HoldDown)]
    );
    assert!(auto.tick(29.0).decisions.is_empty());
    assert_eq!(
        actions(&auto.tick(30.0)),
        [(Action::Evacuate, Rule::TwoKinds)]
    );
    assert_eq!(actions(&auto.end(1)), [(Action::Withdraw, Rule::Evacuated)]);
}

#[test]
fn evidence_that_does_not_last_for_the_hold_down_moves_nothing() {
    let mut site = Site::auto(&[("hold_down_sec", "30")]);
    let metrics = finding("hv1", EvidenceKind::Metrics, 0.0);
    site.find(metrics.clone());
    site.find(finding("hv1", EvidenceKind::Log, 0.0));
    let out = site.at(20.0, What::Finding(cleared(&metrics, 20.0)));
    assert_eq!(actions(&out), [(Action::Withdraw, Rule::EvidenceEnded)]);
    assert!(site.tick(60.0).decisions.is_empty());
}

#[test]
fn one_host_is_evacuated_at_a_time_and_the_one_with_the_highest_risk_first() {
    let mut site = Site::auto(&[]);
    site.racks(20, 1);
    assert_eq!(evacuated(&site.redden("hv1")), ["hv1"]);
    for host in ["hv2", "hv3"] {
        assert_eq!(
            actions(&site.redden(host)),
            [(Action::Hold, Rule::OneAtATime)]
        );
    }
    let (host, high) = ("hv3".into(), Share::new(0.8));
    site.apply(What::Risk {
        host,
        risk_10min: high,
        risk_30min: high,
        calibrated: false,
    });
    assert_eq!(evacuated(&site.end(1)), ["hv3"]);
    assert_eq!(evacuated(&site.end(3)), ["hv2"]);
}

#[test]
fn no_more_hosts_are_evacuated_within_the_window_than_the_limits_allow() {
    for (name, value, rule) in [
        ("max_hosts", "2", Rule::MaxHosts),
        ("max_share", "0.25", Rule::MaxShare),
        ("max_per_group", "2", Rule::MaxPerGroup),
    ] {
        let mut site = Site::auto(&[("group_labels", "rack"), ("trip_share", "1"), (name, value)]);
        site.racks(8, 4);
        for (host, id) in [("hv0", 1), ("hv1", 2)] {
            assert_eq!(evacuated(&site.redden(host)), [host], "{name}");
            site.end(id);
            // Far enough apart to be no anomaly of their rack.
            site.tick(site.now + 700.0);
        }
        let out = site.redden("hv2");
        assert_eq!(actions(&out), [(Action::Hold, rule)], "{name}");
        // The window moves on.
        let out = site.tick(3601.0);
        assert_eq!(evacuated(&out), ["hv2"], "{name}");
    }
}

#[test]
fn a_share_of_a_small_cluster_still_allows_one_host() {
    let mut site = Site::auto(&[("max_hosts", "0"), ("max_share", "0.01")]);
    assert_eq!(evacuated(&site.redden("hv1")), ["hv1"]);
    site.end(1);
    assert_eq!(
        actions(&site.redden("hv2")),
        [(Action::Hold, Rule::MaxShare)]
    );
}

#[test]
fn quiet_hours_hold_what_nobody_approved() {
    let hours = ("quiet_hours", "11:00-13:00");
    let mut auto = Site::auto(&[hours]);
    assert_eq!(
        actions(&auto.redden("hv1")),
        [(Action::Hold, Rule::QuietHours)]
    );
    assert_eq!(evacuated(&auto.tick(3600.0)), ["hv1"]);
    let mut urgent = Site::auto(&[hours]);
    urgent.redden("hv1");
    assert_eq!(evacuated(&urgent.approve(1)), ["hv1"]);
    let mut confirm = Site::new(&[("mode", "confirm"), ("hold_down_sec", "0"), hours]);
    confirm.redden("hv1");
    assert_eq!(evacuated(&confirm.approve(1)), ["hv1"]);
}

#[test]
fn a_pause_and_a_freeze_hold_everything_until_they_end() {
    let mut site = Site::auto(&[]);
    site.apply(What::Pause {
        by: "ada".into(),
        reason: "power work".into(),
    });
    let out = site.redden("hv1");
    assert_eq!(actions(&out), [(Action::Hold, Rule::Paused)]);
    assert!(out.decisions[0].reasons[0].contains("power work"));
    let cause = || "the disk is full".to_owned();
    site.apply(What::Freeze {
        cause: cause(),
        on: true,
    });
    let out = site.apply(What::Resume { by: "ada".into() });
    assert_eq!(actions(&out), [(Action::Hold, Rule::Frozen)]);
    assert!(out.decisions[0].reasons[0].contains("the disk is full"));
    let out = site.apply(What::Freeze {
        cause: cause(),
        on: false,
    });
    assert_eq!(evacuated(&out), ["hv1"]);
}

#[test]
fn nothing_is_evacuated_while_the_whole_fleet_changes_or_is_silent() {
    for origin in [Origin::Fleet, Origin::Silence] {
        let mut site = Site::auto(&[]);
        let fleet = Finding {
            origin,
            ..finding("", EvidenceKind::Metrics, 0.0)
        };
        site.find(fleet.clone());
        assert_eq!(actions(&site.redden("hv1")), [(Action::Hold, Rule::Frozen)]);
        let out = site.at(60.0, What::Finding(cleared(&fleet, 60.0)));
        assert_eq!(evacuated(&out), ["hv1"]);
        // Unless the operator does not want that.
        let mut site = Site::auto(&[("freeze_on", "")]);
        site.find(fleet);
        assert_eq!(evacuated(&site.redden("hv1")), ["hv1"]);
    }
}

#[test]
fn if_five_of_eight_hosts_turn_red_together_the_brake_trips_and_nothing_moves_until_a_reset() {
    let mut site = Site::auto(&[("hold_down_sec", "30"), ("group_labels", "rack")]);
    site.racks(8, 1);
    let mut out = Vec::new();
    for i in 0..5 {
        out.push(site.redden(&format!("hv{i}")));
        site.now += 2.0;
    }
    let all: Vec<_> = out.iter().flat_map(actions).collect();
    assert!(all.contains(&(Action::Trip, Rule::TripHosts)), "{all:?}");
    // Those that waited were stopped, and the later ones are only suggested.
    assert_eq!(
        all.iter()
            .filter(|a| **a == (Action::Hold, Rule::Tripped))
            .count(),
        2
    );
    assert_eq!(
        all.iter()
            .filter(|(action, _)| *action == Action::Suggest)
            .count(),
        3
    );
    for seconds in [60.0, 600.0, 3000.0] {
        assert!(evacuated(&site.tick(seconds)).is_empty());
    }
    // Not even if a person approves.
    let out = site.approve(1);
    assert_eq!(actions(&out), [(Action::Refuse, Rule::Tripped)]);
    assert!(site.policy.status().tripped.is_some());
    // After the reset, a person has to approve what was stopped.
    let out = site.apply(What::Reset { by: "ada".into() });
    assert!(evacuated(&out).is_empty());
    assert_eq!(evacuated(&site.approve(1)), ["hv0"]);
}

#[test]
fn failed_evacuations_trip_the_brake_and_one_that_succeeds_starts_the_count_again() {
    let mut site = Site::auto(&[
        ("trip_failures", "2"),
        ("trip_hosts", "100"),
        ("trip_share", "1"),
    ]);
    let fate = |site: &mut Site, host: &str, id, step| {
        assert_eq!(evacuated(&site.redden(host)), [host]);
        actions(&site.progress(id, step))
    };
    for (id, step) in [(1, Step::Failed), (2, Step::Ended), (3, Step::Failed)] {
        // Too far apart for hosts to turn red together.
        site.tick(1000.0 * id as f64);
        let found = fate(&mut site, &format!("hv{id}"), id, step);
        assert_eq!(found.len(), 1, "{found:?}");
    }
    site.tick(4000.0);
    let found = fate(&mut site, "hv4", 4, Step::Failed);
    assert_eq!(
        found,
        [
            (Action::Withdraw, Rule::Failed),
            (Action::Trip, Rule::TripFailures)
        ]
    );
}

#[test]
fn an_evacuation_that_never_reports_its_end_counts_as_failed() {
    let mut site = Site::auto(&[("evacuation_sec", "600"), ("trip_failures", "1")]);
    site.redden("hv1");
    assert!(site.tick(600.0).decisions.is_empty());
    let found = actions(&site.tick(602.0));
    assert_eq!(
        found,
        [
            (Action::Withdraw, Rule::Timeout),
            (Action::Trip, Rule::TripFailures)
        ]
    );
}

#[test]
fn hosts_of_a_rack_that_turn_together_are_one_event_and_are_neither_evacuated_nor_targets() {
    let mut site = Site::auto(&[
        ("group_labels", "rack"),
        ("hold_down_sec", "30"),
        ("trip_share", "1"),
    ]);
    site.racks(40, 10);
    let mut events = Vec::new();
    for host in ["hv10", "hv11", "hv12"] {
        events.extend(site.find(finding(host, EvidenceKind::Metrics, 0.0)).events);
    }
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind(), EventKind::GroupAnomaly);
    let out = site.find(finding("hv10", EvidenceKind::Resource, 0.0));
    assert_eq!(actions(&out), [(Action::Hold, Rule::GroupAnomaly)]);
    assert!(site.tick(100.0).decisions.is_empty());
    // Its green hosts take no guests of other racks either.
    assert!(
        site.policy
            .may_receive("hv0", "hv19")
            .unwrap_err()
            .contains("rack=r1")
    );
    assert_eq!(site.policy.may_receive("hv0", "hv20"), Ok(()));
    assert_eq!(site.policy.targets("hv0").count(), 29);
    assert_eq!(site.policy.status().anomalous_groups, ["rack=r1"]);
    // A host of another rack is evacuated.
    site.redden("hv30");
    assert_eq!(evacuated(&site.tick(200.0)), ["hv30"]);
}

#[test]
fn forged_log_lines_are_no_anomaly_of_a_group() {
    let mut site = Site::auto(&[("group_labels", "rack")]);
    site.racks(40, 10);
    for i in 10..20 {
        let forged = Finding {
            trusted: false,
            ..finding(&format!("hv{i}"), EvidenceKind::Log, 0.0)
        };
        assert!(site.find(forged).events.is_empty());
    }
}

#[test]
fn a_host_whose_groups_are_unknown_is_not_evacuated() {
    let mut site = Site::auto(&[("group_labels", "rack")]);
    assert_eq!(
        actions(&site.redden("hv1")),
        [(Action::Hold, Rule::UnknownHost)]
    );
    assert_eq!(evacuated(&site.racks(4, 2)), ["hv1"]);
    site.end(1);
    assert_eq!(
        actions(&site.redden("stranger")),
        [(Action::Hold, Rule::UnknownHost)]
    );
}

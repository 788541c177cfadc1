//! What holds for any stream of inputs, with restarts in between.

use std::collections::{BTreeMap, BTreeSet};

use bellwether_core::event::{EventKind, IncidentId, State};
use bellwether_core::inference::Family;
use bellwether_core::policy::{
    Action, Decision, EvidenceKind, Finding, Input, Mode, Origin, Outputs, Policy, PolicyOptions,
    Rule, Step, SuggestionId, Verdict, What,
};
use bellwether_core::units::{Share, Time};
use proptest::prelude::*;

use crate::site::{NOON, options};

const HOSTS: u8 = 8;

/// Conditions are numbered; each has its host, its kind and its beginning for good.
const CONDITIONS: u8 = 64;

fn host_of(condition: u8) -> String {
    format!("hv{}", condition % HOSTS)
}

fn kind_of(condition: u8) -> EvidenceKind {
    [
        EvidenceKind::Metrics,
        EvidenceKind::Log,
        EvidenceKind::Resource,
        EvidenceKind::Risk,
    ][usize::from(condition / HOSTS % 4)]
}

fn family_of(condition: u8) -> Option<Family> {
    let family = if condition.is_multiple_of(3) {
        Family::Hardware
    } else {
        Family::Network
    };
    (kind_of(condition) == EvidenceKind::Log).then_some(family)
}

fn incident_of(condition: u8) -> IncidentId {
    IncidentId::new(
        EventKind::LogFailure,
        &["of"],
        Time::from_secs(condition.into()),
        0,
    )
}

/// An input without its time.
#[derive(Debug, Clone)]
enum Act {
    Report {
        condition: u8,
        state: State,
        weak: u8,
        late: u16,
    },
    Fleet {
        state: State,
        silent: bool,
    },
    Risk {
        host: u8,
        risk: u8,
    },
    Topology {
        hosts: u8,
    },
    Approve(u8),
    Dismiss(u8),
    Pause,
    Resume,
    Reset,
    Progress(u8, Step),
    Freeze(bool),
    Tick,
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![4 => Just(State::Raised), 1 => Just(State::Updated), 1 => Just(State::Cleared)]
}

fn steps() -> impl Strategy<Value = Act> {
    let progress =
        prop_oneof![1 => Just(Step::Started), 4 => Just(Step::Ended), 1 => Just(Step::Failed)];
    prop_oneof![
        // Half of all reports are flawless.
        24 => (0..CONDITIONS, states(), 0..12u8, 0..400u16)
            .prop_map(|(condition, state, weak, late)| Act::Report { condition, state, weak, late }),
        1 => (states(), any::<bool>()).prop_map(|(state, silent)| Act::Fleet { state, silent }),
        1 => (0..HOSTS, 0..=100u8).prop_map(|(host, risk)| Act::Risk { host, risk }),
        1 => (0..=HOSTS).prop_map(|hosts| Act::Topology { hosts }),
        6 => (1..12u8).prop_map(Act::Approve),
        1 => (1..12u8).prop_map(Act::Dismiss),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        2 => Just(Act::Reset),
        5 => (1..12u8, progress).prop_map(|(id, step)| Act::Progress(id, step)),
        1 => any::<bool>().prop_map(Act::Freeze),
        8 => Just(Act::Tick),
    ]
}

fn input(step: &Act, seconds: f64) -> Input {
    let by = || "ada".to_owned();
    let id = |id: &u8| SuggestionId(u64::from(*id));
    let what = match step {
        Act::Report {
            condition,
            state,
            weak,
            late,
        } => What::Finding(Finding {
            host: host_of(*condition),
            incident: incident_of(*condition),
            kind: kind_of(*condition),
            state: *state,
            since: Time::from_secs(NOON + f64::from(*condition)),
            reported: Time::from_secs(NOON + seconds - f64::from(*late)),
            provisional: *weak == 1,
            trusted: *weak != 2,
            origin: match weak {
                3 => Origin::Internal,
                4 => Origin::Silence,
                5 => Origin::Fleet,
                _ => Origin::Host,
            },
            family: family_of(*condition),
            retracted: *weak == 6,
            text: format!("condition {condition}"),
        }),
        Act::Fleet { state, silent } => What::Finding(Finding {
            host: String::new(),
            incident: incident_of(200 + u8::from(*silent)),
            kind: EvidenceKind::Metrics,
            state: *state,
            since: Time::from_secs(NOON),
            reported: Time::from_secs(NOON + seconds),
            provisional: false,
            trusted: true,
            origin: if *silent {
                Origin::Silence
            } else {
                Origin::Fleet
            },
            family: None,
            retracted: false,
            text: String::new(),
        }),
        Act::Risk { host, risk } => What::Risk {
            host: format!("hv{host}"),
            risk_10min: Share::new(f64::from(*risk) / 100.0),
            risk_30min: Share::ONE,
            calibrated: false,
        },
        Act::Topology { hosts } => What::Topology {
            hosts: (0..*hosts)
                .map(|host| (format!("hv{host}"), rack(host)))
                .collect(),
        },
        Act::Approve(number) => What::Approve {
            id: id(number),
            by: by(),
        },
        Act::Dismiss(number) => What::Dismiss {
            id: id(number),
            verdict: Verdict::Unclear,
            by: by(),
        },
        Act::Pause => What::Pause {
            by: by(),
            reason: "test".into(),
        },
        Act::Resume => What::Resume { by: by() },
        Act::Reset => What::Reset { by: by() },
        Act::Progress(number, step) => What::Progress {
            id: id(number),
            step: *step,
            text: String::new(),
        },
        Act::Freeze(on) => What::Freeze {
            cause: "disk".into(),
            on: *on,
        },
        Act::Tick => What::Tick,
    };
    Input {
        time: Time::from_secs(NOON + seconds),
        what,
    }
}

fn rack(host: u8) -> BTreeMap<String, String> {
    [("rack".to_owned(), (host / 4).to_string())].into()
}

/// Options of any mode, with limits, and with short times so that something happens.
fn any_options() -> impl Strategy<Value = PolicyOptions> {
    let auto_mostly = prop_oneof![1 => Just("suggest"), 2 => Just("confirm"), 5 => Just("auto")];
    let hold_down = prop_oneof![Just("0"), Just("30")];
    let cooldown = prop_oneof![Just("0"), Just("120")];
    let labels = prop_oneof![Just("none"), Just("rack")];
    (
        auto_mostly,
        1..4usize,
        0..3usize,
        hold_down,
        cooldown,
        labels,
        2..9usize,
    )
        .prop_map(
            |(mode, max_hosts, max_per_group, hold_down, cooldown, labels, trip_hosts)| {
                PolicyOptions {
                    max_hosts,
                    max_per_group,
                    trip_hosts,
                    trip_share: 1.0,
                    trip_failures: 2,
                    ..options(&[
                        ("mode", mode),
                        ("hold_down_sec", hold_down),
                        ("cooldown_sec", cooldown),
                        ("group_labels", labels),
                        ("targets", "green"),
                        ("limit_window_sec", "1200"),
                        ("evidence_sec", "1800"),
                        ("evacuation_sec", "300"),
                        ("quiet_hours", "12:40-12:50"),
                    ])
                }
            },
        )
}

/// Inputs, each after the pause before it in seconds.
fn any_stream() -> impl Strategy<Value = Vec<(Act, f64)>> {
    let pauses = prop_oneof![6 => 0.0..3.0f64, 3 => 3.0..40.0, 1 => 40.0..400.0];
    prop::collection::vec((steps(), pauses), 1..160)
}

fn inputs(stream: &[(Act, f64)]) -> Vec<Input> {
    let mut seconds = 400.0;
    let inputs = stream.iter().map(|(step, pause)| {
        seconds += pause;
        input(step, seconds)
    });
    inputs.collect()
}

/// Feeds all inputs; before those in `restarts`, the policy is replaced by a new one that continues from a snapshot.
fn run(options: &PolicyOptions, inputs: &[Input], restarts: &BTreeSet<usize>) -> Vec<Outputs> {
    let mut policy = Policy::new(options.clone()).unwrap();
    let mut outputs = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        if restarts.contains(&at) {
            let bytes = policy.snapshot().to_vec();
            policy = Policy::new(options.clone()).unwrap();
            policy.restore(&bytes).unwrap();
        }
        outputs.push(policy.apply(input));
    }
    outputs
}

/// What is known about a condition from its reports alone.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// A report with a known source, and one that is more than a hint and about the host itself.
    trusted: bool,
    sound: bool,
}

/// Follows inputs and outputs, and checks what must hold.
#[derive(Default)]
struct Oracle {
    conditions: BTreeMap<IncidentId, (u8, Known)>,
    evacuations: Vec<(f64, String)>,
    acted: BTreeSet<IncidentId>,
    suggested: BTreeSet<IncidentId>,
    approved: BTreeSet<SuggestionId>,
    running: Option<SuggestionId>,
    tripped: bool,
    paused: bool,
    decisions: u64,
}

impl Oracle {
    fn learn(&mut self, input: &Input, out: &Outputs) {
        let refuses = |decision: &Decision| decision.action == Action::Refuse;
        let is_approved = out.refused.is_none() && !out.decisions.iter().any(refuses);
        match &input.what {
            What::Finding(finding) if finding.state != State::Cleared => {
                let condition = (0..CONDITIONS).find(|c| incident_of(*c) == finding.incident);
                if let Some(condition) = condition {
                    let (_, known) = self
                        .conditions
                        .entry(finding.incident)
                        .or_insert((condition, Known::default()));
                    known.trusted |= finding.trusted;
                    known.sound |= !finding.provisional && finding.origin == Origin::Host;
                }
            }
            What::Pause { .. } => self.paused = true,
            What::Resume { .. } => self.paused = false,
            What::Reset { .. } => self.tripped = false,
            What::Approve { id, .. } if is_approved => {
                self.approved.insert(*id);
            }
            _ => {}
        }
    }

    /// Whether conditions that count suffice for this host, whatever their times are.
    fn suffices(&self, host: &str) -> bool {
        let counts = self.conditions.values().filter(|(condition, known)| {
            let of_host = host_of(*condition) == host && kind_of(*condition) != EvidenceKind::Risk;
            of_host && known.trusted && known.sound
        });
        let alone = |c: u8| family_of(c) == Some(Family::Hardware);
        let kinds: BTreeSet<_> = counts.clone().map(|(c, _)| kind_of(*c)).collect();
        kinds.len() >= 2 || counts.into_iter().any(|(c, _)| alone(*c))
    }

    fn check(&mut self, options: &PolicyOptions, out: &Outputs) -> Result<(), TestCaseError> {
        for decision in &out.decisions {
            self.decisions += 1;
            prop_assert_eq!(decision.number, self.decisions);
            prop_assert!(!decision.reasons.is_empty());
            match decision.action {
                Action::Trip => self.tripped = true,
                Action::Suggest => {
                    let incident = decision.incident.unwrap();
                    prop_assert!(
                        self.suggested.insert(incident),
                        "suggested twice: {decision:?}"
                    );
                }
                Action::Withdraw if decision.id == self.running => self.running = None,
                Action::Evacuate => self.check_evacuation(options, decision)?,
                Action::Withdraw | Action::Hold | Action::Refuse => {}
            }
        }
        Ok(())
    }

    fn check_evacuation(
        &mut self,
        options: &PolicyOptions,
        decision: &Decision,
    ) -> Result<(), TestCaseError> {
        prop_assert!(!self.tripped, "after a trip: {decision:?}");
        prop_assert!(!self.paused, "during a pause: {decision:?}");
        prop_assert!(self.running.is_none(), "two at a time: {decision:?}");
        self.running = decision.id;
        let incident = decision.incident.unwrap();
        prop_assert!(
            self.acted.insert(incident),
            "twice for one incident: {decision:?}"
        );
        let (_, known) = self.conditions[&incident];
        prop_assert!(
            known.trusted && known.sound,
            "on weak evidence: {decision:?}"
        );
        prop_assert!(
            self.suffices(&decision.host),
            "without enough evidence: {decision:?}"
        );
        let is_approved = self.approved.contains(&decision.id.unwrap());
        match options.mode {
            Mode::Suggest => prop_assert!(false, "in the mode that suggests: {decision:?}"),
            Mode::Confirm => prop_assert!(is_approved, "without an approval: {decision:?}"),
            Mode::Auto => {}
        }
        let time = decision.time.secs();
        if decision.rule != Rule::Approved {
            let minutes = (time - NOON) / 60.0;
            prop_assert!(
                !(40.0..50.0).contains(&minutes),
                "in quiet hours: {decision:?}"
            );
        }
        self.evacuations.push((time, decision.host.clone()));
        let recent = |(at, _): &&(f64, String)| time - at <= options.limit_window_sec;
        let recent: Vec<_> = self.evacuations.iter().filter(recent).collect();
        prop_assert!(
            recent.len() <= options.max_hosts,
            "over max_hosts: {recent:?}"
        );
        if options.max_per_group > 0 && options.group_labels == "rack" {
            let number = |host: &str| host[2..].parse::<u8>().unwrap();
            let of = |host: &str| rack(number(host));
            let together = recent
                .iter()
                .filter(|(_, host)| of(host) == of(&decision.host));
            prop_assert!(
                together.count() <= options.max_per_group,
                "over max_per_group"
            );
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_comes_in_no_limit_is_exceeded_and_nothing_moves_on_weak_evidence_or_after_a_trip(
        options in any_options(),
        stream in any_stream(),
        restarts in prop::collection::btree_set(0..160usize, 0..6),
    ) {
        let inputs = inputs(&stream);
        let outputs = run(&options, &inputs, &restarts);
        let mut oracle = Oracle::default();
        for (input, out) in inputs.iter().zip(&outputs) {
            // A trip that time brought comes before the reset.
            let is_reset = matches!(input.what, What::Reset { .. });
            if is_reset {
                oracle.check(&options, out)?;
            }
            oracle.learn(input, out);
            if !is_reset {
                oracle.check(&options, out)?;
            }
        }
    }

    #[test]
    fn a_replay_of_recorded_inputs_decides_the_same_with_and_without_restarts(
        options in any_options(),
        stream in any_stream(),
        restarts in prop::collection::btree_set(0..160usize, 0..6),
    ) {
        let live = run(&options, &inputs(&stream), &restarts);
        let recorded = inputs(&stream).iter().map(|input| {
            let json = serde_json::to_string(input).unwrap();
            serde_json::from_str(&json).unwrap()
        }).collect::<Vec<Input>>();
        prop_assert_eq!(&recorded, &inputs(&stream));
        prop_assert_eq!(run(&options, &recorded, &BTreeSet::new()), live);
    }
}

#[test]
fn streams_as_these_lead_to_evacuations_trips_refusals_and_anomalies_of_groups() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let mut counts: BTreeMap<Action, usize> = BTreeMap::new();
    let mut groups = 0;
    for _ in 0..200 {
        let options = any_options().new_tree(&mut runner).unwrap().current();
        let stream = any_stream().new_tree(&mut runner).unwrap().current();
        for out in run(&options, &inputs(&stream), &BTreeSet::new()) {
            groups += out.events.len();
            for decision in out.decisions {
                *counts.entry(decision.action).or_default() += 1;
            }
        }
    }
    for action in [
        Action::Suggest,
        Action::Evacuate,
        Action::Hold,
        Action::Refuse,
        Action::Trip,
        Action::Withdraw,
    ] {
        let count = counts.get(&action).copied().unwrap_or_default();
        assert!(count >= 10, "{action:?}: {counts:?}");
    }
    assert!(groups >= 10, "{groups}");
}

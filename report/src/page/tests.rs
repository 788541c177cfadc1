//! The page as a whole: what any browser is given.

use std::collections::HashSet;

use bellwether_core::event::{
    Cause, Change, CommonChange, Direction, Event, Evidence, HypervisorAnomaly, LogFailure,
    LogSource, Severity, Silence, State, Subject, WorkloadChange,
};
use bellwether_core::units::{Share, Time};
use jiff::tz::TimeZone;
use scraper::{Html, Selector};

use super::*;
use crate::change::Step;
use crate::model::{Log, Moment, Recording, Records, Risk, RiskSource, Vm, Vote};

/// What would do harm if it came into a page as it is.
const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;\u{202e}</style>\u{0}";

/// A number in 0..1 that looks random and is the same in every run.
fn noise(seed: usize, t: usize) -> f32 {
    let mut x = ((seed as u64) << 32 ^ t as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 40) as f32 / (1 << 24) as f32
}

/// A host whose VMs are as noisy as can be, with an anomaly in the middle.
fn host(name: &str, vms: usize, rows: usize) -> Host {
    let (interval, start) = (10.0, 1.77e9);
    let middle = start + (rows / 2) as f64 * interval;
    let change = CommonChange {
        cause: Cause::External,
        consensus: Share::new(0.9),
        distinctiveness: Share::new(0.7),
        consistency: Share::new(0.1),
        direction: Direction::Up,
        channel: "fast".into(),
        changed_vms: String::new(),
    };
    let event = Event::new(
        Subject::Hypervisor(name.to_owned()),
        State::Raised,
        Severity::Failure,
        Time::from_secs(middle),
        "text",
        Evidence::HypervisorAnomaly(HypervisorAnomaly {
            metric: "cpu".into(),
            voters: vms as u32,
            change: Some(change),
            ..HypervisorAnomaly::default()
        }),
    );
    let step = Step {
        row: rows / 2,
        before: 20.0,
        after: 50.0,
    };
    let vote = Vote {
        shift: Some(3.0),
        agrees: true,
        follows: false,
        step: Some(step),
    };
    let mut incident = Incident::new(event);
    incident.votes = vec![vote; vms];
    incident.present = 8;
    let vm = |i: usize| Vm {
        name: format!("{name}-vm{i}"),
        values: (0..rows).map(|t| 100.0 * noise(i, t)).collect(),
        changes: vec![step; 4],
    };
    Host {
        name: name.to_owned(),
        recording: Some(Recording {
            metric: "cpu".to_owned(),
            start,
            interval,
            vms: (0..vms).map(vm).collect(),
            consensus: (0..rows).map(|t| noise(1, t)).collect(),
            score: (0..rows).map(|t| noise(2, t)).collect(),
            voters: vec![vms as u32; rows],
            moment: Moment {
                row: rows / 2,
                score: 0.7,
                consensus: 0.9,
                voters: vms as u32,
                shifts: (0..vms)
                    .map(|i| (i % 7 > 0).then_some(i as f64 - 3.0))
                    .collect(),
            },
        }),
        log: None,
        risk: None,
        incidents: vec![incident],
    }
}

/// A host whose log reports a failure; `text` wherever the data may put any.
fn logged(text: &str) -> Host {
    let some = || Some(text.to_owned());
    let evidence = LogFailure {
        stream: text.to_owned(),
        source: LogSource {
            program: some(),
            unit: some(),
            tag: some(),
        },
        template: text.to_owned(),
        family: some(),
        phrase: text.to_owned(),
        sample: some(),
        window: some(),
        ..LogFailure::default()
    };
    let event = Event::new(
        Subject::Hypervisor(text.to_owned()),
        State::Raised,
        Severity::Failure,
        Time::from_secs(1.77e9),
        text,
        Evidence::LogFailure(Box::new(evidence)),
    );
    let mut incident = Incident::new(event.clone());
    let records = Records {
        template_id: 1,
        template: text.to_owned(),
        count: 3,
        sample: text.to_owned(),
    };
    incident.records = vec![records; 2];
    let mut ended = event.clone();
    (ended.state, ended.time) = (State::Cleared, Time::from_secs(1.77e9 + 60.0));
    if let Evidence::LogFailure(failure) = &mut ended.evidence {
        failure.reason = some();
    }
    incident.end = Some(ended);
    let share = Share::new(0.9);
    let mut workload = event.clone();
    workload.subject = Subject::Vm {
        hypervisor: text.to_owned(),
        vm: text.to_owned(),
    };
    workload.evidence = Evidence::WorkloadChange(WorkloadChange {
        metric: text.to_owned(),
        consensus: share,
        change: Change::Alone,
    });
    let mut silence = event.clone();
    silence.evidence = Evidence::HypervisorSilence(Silence::default());
    let mut anomaly = event;
    anomaly.evidence = Evidence::HypervisorAnomaly(HypervisorAnomaly {
        metric: text.to_owned(),
        change: Some(CommonChange {
            cause: Cause::External,
            consensus: share,
            distinctiveness: share,
            consistency: share,
            direction: Direction::Up,
            channel: text.to_owned(),
            changed_vms: text.to_owned(),
        }),
        ..HypervisorAnomaly::default()
    });
    let others = [workload, silence, anomaly].map(Incident::new);
    Host {
        name: text.to_owned(),
        recording: None,
        risk: None,
        log: Some(Log {
            records: (0..100)
                .map(|t| (1.77e9 + f64::from(t), t % 9 == 0))
                .collect(),
            templates: 12,
        }),
        incidents: [incident].into_iter().chain(others).collect(),
    }
}

fn page(hosts: Vec<Host>, title: &str) -> String {
    let mut report = Report {
        hosts,
        sources: vec![title.to_owned()],
        warnings: vec![title.to_owned()],
    };
    report.arrange();
    render(&report, title, &Clock::new(TimeZone::UTC))
}

fn all<'a>(html: &'a Html, selector: &str) -> Vec<scraper::ElementRef<'a>> {
    html.select(&Selector::parse(selector).unwrap()).collect()
}

#[test]
fn the_page_is_well_formed_and_refers_to_nothing_but_itself() {
    let hosts = vec![host("hv1", 5, 300), logged("host-2"), Host::default()];
    let text = page(hosts, "a title");
    let html = Html::parse_document(&text);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    let ids: Vec<_> = all(&html, "[id]")
        .iter()
        .map(|e| e.attr("id").unwrap())
        .collect();
    let known: HashSet<_> = ids.iter().copied().collect();
    assert_eq!(ids.len(), known.len(), "an id is there twice");
    let references = all(&html, "[href]");
    assert!(references.len() > 5);
    for element in references {
        let target = element.attr("href").unwrap().strip_prefix('#');
        assert!(
            target.is_some_and(|id| known.contains(id)),
            "{:?}",
            element.value()
        );
    }
    assert!(all(&html, "[src], [style], link, iframe, object, img").is_empty());
    let with_handler =
        |e: &scraper::ElementRef<'_>| e.value().attrs().any(|(name, _)| name.starts_with("on"));
    assert!(!all(&html, "*").iter().any(with_handler));
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    assert!(!text.contains("http://") && !text.contains("https://"));
}

#[test]
fn the_policy_allows_the_style_and_the_script_and_nothing_else() {
    let html = page(vec![], "empty");
    let html = Html::parse_document(&html);
    let policy = all(&html, "meta[http-equiv=Content-Security-Policy]");
    let policy = policy[0].attr("content").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    for (directive, element) in [("script-src", "script"), ("style-src", "style")] {
        let inside: String = all(&html, element)[0].text().collect();
        assert!(
            policy.contains(&format!("{directive} {}", source(&inside))),
            "{policy}"
        );
    }
    assert!(!SCRIPT.contains("</script") && !STYLE.contains("</style"));
}

#[test]
fn no_text_from_the_data_becomes_markup() {
    let mut hostile = host(HOSTILE, 3, 60);
    hostile.recording.as_mut().unwrap().metric = HOSTILE.to_owned();
    if let Evidence::HypervisorAnomaly(anomaly) = &mut hostile.incidents[0].event.evidence {
        anomaly.metric = HOSTILE.to_owned();
        anomaly.change.as_mut().unwrap().channel = HOSTILE.to_owned();
    }
    let other = Host {
        name: format!("other {HOSTILE}"),
        ..logged(HOSTILE)
    };
    let text = page(vec![hostile, other], HOSTILE);
    let html = Html::parse_document(&text);
    assert!(html.errors.is_empty(), "{:?}", html.errors);
    assert_eq!(all(&html, "script").len(), 1);
    assert_eq!(all(&html, "style").len(), 1);
    assert!(all(&html, "img").is_empty());
    assert!(!text.contains('\u{202e}') && !text.contains('\0'));
    let shown: String = all(&html, "h2")[0].text().collect();
    let expected = HOSTILE.replace(['\u{202e}', '\0'], "\u{fffd}");
    assert_eq!(shown, expected, "it is still to be read");
}

#[test]
fn a_day_of_thirty_noisy_vms_is_less_than_two_megabytes() {
    let size = page(vec![host("hv1", 30, 8640)], "day").len();
    assert!((100_000..2_000_000).contains(&size), "{size}");
}

#[test]
fn fifty_hosts_of_sixty_vms_fit_and_so_does_one_with_two() {
    let hosts = (0..50).map(|i| {
        let mut host = host(&format!("compute-{i:02}"), 60, 575);
        if i > 2 {
            host.incidents.clear();
        }
        host
    });
    let text = page(hosts.collect(), "fleet");
    assert!(text.len() < 2_500_000, "{}", text.len());
    let html = Html::parse_document(&text);
    assert_eq!(all(&html, "a.tile").len(), 50);
    assert_eq!(all(&html, "details.host[open]").len(), UNFOLDED_MAX);
    assert_eq!(all(&html, "a.tile.fault").len(), 3);
    assert!(page(vec![host("hv", 2, 60)], "two").len() < 80_000);
}

#[test]
fn the_series_of_a_fleet_without_end_are_left_out_without_incidents() {
    let hosts = (0..70).map(|i| {
        let mut host = host(&format!("compute-{i:02}"), 100, 50);
        if i > 0 {
            host.incidents.clear();
        }
        host
    });
    let text = page(hosts.collect(), "fleet");
    let html = Html::parse_document(&text);
    assert_eq!(all(&html, ".view").len(), 1);
    assert!(text.contains("A report of this host alone"));
}

#[test]
fn the_worst_comes_first_and_in_words() {
    let mut sound = host("hv0", 5, 200);
    sound.incidents.clear();
    let text = page(vec![sound, host("hv1", 5, 200)], "report");
    let html = Html::parse_document(&text);
    let said = |selector: &str| all(&html, selector)[0].text().collect::<String>();
    assert_eq!(
        said(".summary span + span"),
        "1 of 2 hosts is likely failing: hv1."
    );
    assert_eq!(said(".tile .name"), "hv1");
    assert_eq!(said(".tile .badge span + span"), "Host fault");
    let verdict = said(".verdict");
    assert!(
        verdict.starts_with("CPU of 5 of the 5 VMs that voted rose together"),
        "{verdict}"
    );
    assert!(
        verdict.contains("typically by +150\u{a0}%") && verdict.contains("UTC"),
        "{verdict}"
    );
    assert_eq!(all(&html, "li.row.agrees").len(), 5);
    assert!(
        said("li.row .did").contains("▲ +150"),
        "{}",
        said("li.row .did")
    );
}

#[test]
fn a_page_is_the_same_whenever_it_is_made() {
    let make = || page(vec![host("hv1", 3, 100), logged("a")], "report");
    assert_eq!(make(), make());
}

/// The relative luminance of "#rrggbb" (WCAG 2, "relative luminance").
fn luminance(color: &str) -> f64 {
    let channel = |at: usize| {
        let c = f64::from(u8::from_str_radix(&color[at..at + 2], 16).unwrap()) / 255.0;
        if c <= 0.04045 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn text_stands_out_from_what_is_behind_it_in_light_and_dark() {
    let colors = |name: &str| {
        let declared = STYLE.split(&format!("--{name}: light-dark(")).nth(1);
        let declared = declared.and_then(|rest| rest.split(')').next());
        let declared = declared.unwrap_or_else(|| panic!("--{name} has two colors"));
        let (light, dark) = declared.split_once(", ").unwrap();
        [light.to_owned(), dark.to_owned()]
    };
    let contrast = |a: &str, b: &str| {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    };
    let (text, line) = (4.5, 3.0);
    for (front, behind, least) in [
        ("text", "page", text),
        ("text", "card", text),
        ("text", "c1", text),
        ("text", "c2", text),
        ("text", "c3", text),
        ("text", "c4", text),
        ("soft", "page", text),
        ("soft", "card", text),
        ("link", "page", text),
        ("fault-text", "fault", text),
        ("warn-text", "warn", text),
        ("note-text", "note", text),
        ("sound-text", "sound", text),
        ("unknown-text", "unknown", text),
        ("focus", "page", line),
        ("focus", "c4", line),
        ("series", "card", line),
        ("series", "open", line),
        ("series", "page", line),
        ("levels", "card", line),
        ("levels", "c4", line),
        ("levels", "open", line),
        ("raise", "card", line),
        ("raise", "page", line),
        ("mark", "card", line),
    ] {
        for (front_color, behind_color) in colors(front).iter().zip(colors(behind)) {
            let found = contrast(front_color, &behind_color);
            assert!(
                found >= least,
                "{front} on {behind}: {front_color} on {behind_color} is {found:.2}"
            );
        }
    }
}

#[test]
fn the_risk_of_a_host_and_its_sources_stand_above_what_was_found() {
    let mut risky = host("hv1", 5, 400);
    risky.log = logged("a failure").log;
    let states = |quiet: &'static str, severe: &'static str| {
        (0..60)
            .map(|row| Some(if row < 50 { quiet } else { severe }))
            .collect()
    };
    let source = |name, states: Vec<Option<&'static str>>| RiskSource {
        name,
        evidence: (0..60)
            .map(|row| if row < 50 { -1.0 } else { 6.0 })
            .collect(),
        states,
    };
    risky.risk = Some(Risk {
        start: 1.77e9,
        interval: 60.0,
        ten: (0..60)
            .map(|row| if row < 50 { 0.0 } else { 0.82 })
            .collect(),
        thirty: vec![0.9; 60],
        sources: vec![
            source("log", states("none", "2 to 3 minutes")),
            source("had", states("none", "under 10 minutes")),
        ],
    });
    let page = Html::parse_document(&page(vec![risky], "risk"));
    let text = |selector: &str| {
        let selector = Selector::parse(selector).unwrap();
        let found = page.select(&selector).flat_map(|element| element.text());
        found.collect::<String>()
    };
    let risk = text("article.risk");
    for expected in [
        "0.82 within 10 minutes",
        "0.90 within 30",
        "at 0.5 and more for 10",
        "Failure lines in the log: 2 to 3 minutes; Anomaly of the VMs: under 10 minutes",
        "evidence score until a site has calibrated it",
    ] {
        assert!(risk.contains(expected), "{expected}: {risk}");
    }
    let paths = Selector::parse("article.risk path.data").unwrap();
    assert_eq!(page.select(&paths).count(), 4);
    // In the order in which they stand.
    let articles = Selector::parse("article").unwrap();
    let first = page.select(&articles).next().unwrap();
    assert_eq!(first.value().attr("class"), Some("risk"));
}

#[test]
fn a_risk_that_does_not_stand_out_is_not_shown() {
    let mut sound = host("hv1", 5, 400);
    sound.risk = Some(Risk {
        start: 1.77e9,
        interval: 60.0,
        ten: vec![0.0; 60],
        thirty: vec![0.0; 60],
        sources: vec![RiskSource {
            name: "log",
            evidence: vec![-1.5; 60],
            states: vec![Some("none"); 60],
        }],
    });
    let selector = Selector::parse("article.risk").unwrap();
    let page = Html::parse_document(&page(vec![sound], "sound"));
    assert_eq!(page.select(&selector).count(), 0);
}

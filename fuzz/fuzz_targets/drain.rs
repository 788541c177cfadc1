//! Drain under any options and lines: clusters stay within their limits, ids are never used twice, a line's template fits it,
//! the template with the line's values is the line, no line takes more steps than its length allows, and a snapshot goes on as if
//! nothing had happened.
#![no_main]

use arbitrary::Arbitrary;
use bellwether_core::drain::{Added, Change, DrainOptions, Miner};
use bellwether_fuzz::cost::most_steps;
use bellwether_fuzz::line::Line;
use bellwether_fuzz::option::{Setting, modest};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    options: Vec<Setting<'a>>,
    /// Those of a miner that takes over by a snapshot.
    others: Vec<Setting<'a>>,
    steps: Vec<Step<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Step<'a> {
    Add(Line<'a>),
    /// A line that was added before.
    Again(u8),
    Seed(Line<'a>),
    Find(Line<'a>),
    Parameters(u8, Line<'a>),
    Snapshot,
}

/// A miner with these options, or `None` where they contradict each other.
fn miner(settings: &[Setting]) -> Option<Miner> {
    let mut options = DrainOptions::default();
    let drawn = settings.iter().map(|s| s.of(DrainOptions::SPECS));
    for (name, value) in drawn {
        let before = options.clone();
        if options.set(name, &value).is_ok() && options.validate().is_err() {
            options = before;
        }
    }
    for spec in DrainOptions::SPECS {
        if let Some(value) = modest(spec.name) {
            options.set(spec.name, value).expect("an option's value");
        }
    }
    Miner::new(options).ok()
}

fuzz_target!(|input: Input| {
    let Some(mut miner) = miner(&input.options) else {
        return;
    };
    let mut twin: Option<Twin> = None;
    let mut lines: Vec<String> = Vec::new();
    for step in &input.steps {
        match step {
            Step::Add(line) => {
                lines.push(line.text());
                add(
                    &mut miner,
                    twin.as_mut(),
                    lines.last().expect("it is there"),
                );
            }
            Step::Again(which) if !lines.is_empty() => {
                let which = usize::from(*which) % lines.len();
                add(&mut miner, twin.as_mut(), &lines[which]);
            }
            Step::Again(_) => {}
            Step::Seed(line) => {
                let id = miner.seed(&line.text());
                assert!(miner.template(id).is_some());
                if let Some(twin) = &mut twin {
                    assert_eq!(twin.miner.seed(&line.text()), id);
                }
            }
            Step::Find(line) => {
                if let Some(id) = miner.find(&line.text()) {
                    assert!(miner.template(id).is_some());
                }
            }
            Step::Parameters(id, line) => {
                miner.parameters((*id).into(), &line.text());
            }
            Step::Snapshot => {
                twin = Some(Twin {
                    miner: restored(&miner, &input.others),
                    cut: miner.statistics().cut,
                });
            }
        }
        twin = twin.filter(|twin| twin.is_equal(&miner));
        bounded(&miner);
    }
    let clusters = |miner: &Miner| -> Vec<(u64, u64, String)> {
        let clusters = miner.clusters();
        clusters
            .map(|c| (c.id, c.size, c.template.into()))
            .collect()
    };
    if let Some(twin) = twin {
        assert_eq!(clusters(&twin.miner), clusters(&miner));
    }
});

/// What a snapshot was restored to, which must fare as the original does until a search of either is cut.
struct Twin {
    miner: Miner,
    /// Searches of the original that had been cut.
    cut: u64,
}

impl Twin {
    fn is_equal(&self, original: &Miner) -> bool {
        self.miner.statistics().cut == 0 && original.statistics().cut == self.cut
    }
}

fn bounded(miner: &Miner) {
    let (options, statistics) = (miner.options(), miner.statistics());
    assert!(statistics.clusters <= options.max_clusters as u64);
    assert!(miner.bytes() <= options.max_bytes || statistics.clusters <= 1);
    assert_eq!(statistics.created - statistics.evicted, statistics.clusters);
}

fn add(miner: &mut Miner, twin: Option<&mut Twin>, line: &str) {
    let before = miner.statistics();
    let created = before.created;
    let added = miner.add(line);
    let after = miner.statistics();
    // Many are evicted at once, and the tree may be rebuilt, only for what was saved before.
    if after.evicted - before.evicted <= 1 {
        let steps = after.steps - before.steps;
        let most = most_steps(miner.masked().len(), miner.options());
        assert!(steps <= most, "{steps} steps for {line:?}");
    }
    let Added { cluster, change } = added;
    assert_eq!(change == Change::New, cluster == created + 1);
    assert!((1..=created + 1).contains(&cluster));
    assert!(miner.size(cluster).is_some_and(|size| size > 0));
    let template = miner.template(cluster).expect("it is there").to_owned();
    assert!(miner.find(line).is_some(), "a line that was added fits one");
    let values = miner.parameters(cluster, line);
    in_order(line, &values);
    let options = miner.options();
    let whole =
        line.len() <= options.max_line_bytes && template.split(' ').count() < options.max_tokens;
    // Placeholders that the line itself has stand for themselves, and a delimiter may be a part of one.
    let told_apart =
        !line.contains(['<', '>']) && !options.extra_delimiters.contains(['<', '>', ':', '*']);
    if whole && told_apart {
        assert_eq!(
            bare(&assembled(&template, &values), miner),
            bare(line, miner),
            "{template} with {values:?}"
        );
    }
    if let Some(twin) = twin {
        let theirs = twin.miner.add(line);
        assert!(theirs == added || !twin.is_equal(miner));
    }
}

/// Values are parts of the line, in its order.
fn in_order(line: &str, values: &[&str]) {
    let start = line.as_ptr() as usize;
    let mut end = start;
    for value in values {
        let at = value.as_ptr() as usize;
        assert!(at >= end && at + value.len() <= start + line.len());
        end = at + value.len();
    }
}

/// The template with the values in the place of its placeholders.
fn assembled(template: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut line = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once("<:") {
        let (_, behind) = behind.split_once(":>").expect("a placeholder ends");
        line.push_str(before);
        line.push_str(values.next().expect("a value for each placeholder"));
        rest = behind;
    }
    assert!(values.next().is_none(), "a placeholder for each value");
    line + rest
}

/// What of a text separates no words.
fn bare(text: &str, miner: &Miner) -> String {
    let extra = &miner.options().extra_delimiters;
    let separates =
        |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c) || extra.contains(c);
    text.chars().filter(|&c| !separates(c)).collect()
}

/// A miner that goes on from a snapshot; one with other options does, too.
fn restored(miner: &Miner, others: &[Setting]) -> Miner {
    let state = miner.snapshot().to_vec();
    if let Some(mut other) = self::miner(others) {
        other
            .restore(&state)
            .expect("any options take a whole state");
        bounded(&other);
        other.add("a line under other options");
    }
    let mut twin = Miner::new(miner.options().clone()).expect("they are in use");
    twin.restore(&state).expect("it is whole");
    twin
}

use proptest::prelude::*;
use serde::de::DeserializeSeed as _;

use super::hostile::{HOSTILE, Random, ordinary};
use super::reference::Reference;
use super::state::SavedCluster;
use super::tree::SavedNode;
use super::*;

fn miner(settings: &[(&str, &str)]) -> Miner {
    let mut options = DrainOptions::default();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    Miner::new(options).unwrap()
}

fn listed(miner: &Miner) -> Vec<(u64, u64, String)> {
    let all = miner.clusters();
    all.map(|c| (c.id, c.size, c.template.to_owned())).collect()
}

/// A state as it is written.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct State {
    depth: u32,
    clusters: Vec<SavedCluster>,
    nodes: Vec<SavedNode>,
    statistics: Statistics,
}

fn saved(miner: &Miner) -> Vec<u8> {
    postcard::to_stdvec(&miner.saved()).unwrap()
}

fn restore(miner: &mut Miner, state: &[u8]) -> Result<(), StateError> {
    let mut state = postcard::Deserializer::from_bytes(state);
    Restore(miner).deserialize(&mut state).unwrap()
}

#[test]
fn lines_of_one_print_statement_share_a_template() {
    let mut miner = miner(&[]);
    let first = miner.add("connected to 10.0.0.1 as root");
    assert_eq!((first.cluster, first.change), (1, Change::New));
    assert_eq!(miner.masked(), "connected to <:IP:> as root");
    let second = miner.add("connected to 10.0.0.2 as daemon");
    assert_eq!((second.cluster, second.change), (1, Change::Template));
    assert_eq!(miner.template(1), Some("connected to <:IP:> as <:*:>"));
    let third = miner.add("connected to 10.0.0.3 as operator");
    assert_eq!((third.cluster, third.change), (1, Change::None));
    assert_eq!(miner.add("disk full").cluster, 2);
    assert_eq!(miner.template(3), None);
    let statistics = miner.statistics();
    assert_eq!(
        (
            statistics.lines,
            statistics.clusters,
            statistics.created,
            statistics.changed
        ),
        (4, 2, 2, 1)
    );
}

#[test]
fn a_line_without_words_has_a_cluster_too() {
    let mut miner = miner(&[]);
    assert_eq!(miner.add("").cluster, 1);
    assert_eq!(miner.add(" _ ").cluster, 1);
    assert_eq!(miner.template(1), Some(""));
    assert_eq!(miner.find(""), Some(1));
}

#[test]
fn find_learns_nothing_and_matches_word_by_word() {
    let mut miner = miner(&[]);
    miner.add("user root logged in");
    miner.add("user daemon logged in");
    let before = saved(&miner);
    assert_eq!(miner.find("user nobody logged in"), Some(1));
    assert_eq!(miner.find("user nobody logged out"), None);
    assert_eq!(miner.find("never seen"), None);
    assert_eq!(saved(&miner), before);
}

#[test]
fn parameters_are_the_values_at_the_placeholders() {
    let mut miner = miner(&[]);
    miner.add("[12.5] port vnet1 of br_lan is up");
    miner.add("[13.5] port vnet2 of br_wan is up");
    let line = "[99.75] port tap0 of br_dmz is up";
    assert_eq!(
        miner.template(1),
        Some("[<:NUM:>.<:NUM:>] port <:*:> of br <:*:> is up")
    );
    assert_eq!(miner.parameters(1, line), ["99", "75", "tap0", "dmz"]);
    assert!(miner.parameters(1, "something else").is_empty());
    assert!(miner.parameters(7, line).is_empty());
}

#[test]
fn a_masked_parameter_is_returned_as_written() {
    let mut miner = miner(&[("masks", r"VM=vm-\d+")]);
    miner.add("start of vm-1 by root");
    miner.add("start of 17 by root");
    assert_eq!(miner.template(1), Some("start of <:*:> by root"));
    assert_eq!(miner.parameters(1, "start of vm-22 by root"), ["vm-22"]);
}

#[test]
fn a_seed_is_a_template_to_start_from() {
    let mut miner = miner(&[]);
    assert_eq!(miner.seed("user <:*:> logged in"), 1);
    assert_eq!(miner.seed("user <:*:> logged in"), 1);
    assert_eq!(miner.statistics().lines, 0);
    let added = miner.add("user root logged in");
    assert_eq!((added.cluster, added.change), (1, Change::None));
    assert_eq!(listed(&miner), [(1, 1, "user <:*:> logged in".into())]);
}

#[test]
fn the_least_recently_used_cluster_is_evicted_and_ids_are_never_reused() {
    let mut miner = miner(&[("max_clusters", "2")]);
    miner.add("alpha one");
    miner.add("beta");
    miner.add("alpha one");
    assert_eq!(miner.add("gamma two three").cluster, 3);
    assert_eq!(miner.template(2), None);
    assert_eq!(miner.add("beta").cluster, 4);
    assert_eq!(miner.template(1), None);
    assert_eq!(miner.statistics().evicted, 2);
    assert_eq!(miner.add("alpha one").cluster, 5);
}

#[test]
fn lines_are_truncated_to_the_limits() {
    let mut miner = miner(&[("max_line_bytes", "64"), ("max_tokens", "3")]);
    assert_eq!(miner.add("a b c d").cluster, 1);
    assert_eq!(miner.add("a b c e f").cluster, 1);
    assert_eq!(miner.template(1), Some("a b c"));
    // The limit falls within a character.
    let wide = "é".repeat(1000) + "x";
    let cut = miner.add(&format!("x{wide}")).cluster;
    assert_eq!(miner.template(cut).unwrap().len(), 63);
}

#[test]
fn very_long_and_random_lines_are_parsed_like_any_other() {
    let mut miner = miner(&[]);
    let long: String = (0..200_000).map(|i| format!("w{i} ")).collect();
    assert!(long.len() > 1 << 20);
    miner.add(&long);
    miner.add(&"x".repeat(1 << 20));
    miner.add(&"1".repeat(1 << 20));
    miner.add(&"aa:".repeat(1 << 19));
    let mut state = 1u64;
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..300)
            .map(|_| {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                (state >> 56) as u8
            })
            .collect();
        let text = String::from_utf8_lossy(&bytes);
        let cluster = miner.add(&text).cluster;
        assert!(miner.template(cluster).is_some());
        miner.parameters(cluster, &text);
        miner.find(&text);
    }
    assert!(miner.bytes() <= miner.options().max_bytes);
}

#[test]
fn a_million_unrelated_lines_stay_within_the_memory_limit() {
    let mut miner = miner(&[("max_bytes", "4000000"), ("max_clusters", "1000000")]);
    let mut state = 7u64;
    let mut line = String::new();
    for i in 0..1_000_000 {
        line.clear();
        for _ in 0..6 {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let word = (state >> 33) as u32;
            line.extend((0..6).map(|j| char::from(b'a' + (word >> (5 * j) & 15) as u8)));
            line.push(' ');
        }
        miner.add(&line);
        if i % 1000 == 0 {
            assert!(miner.bytes() <= 4_000_000, "{} bytes", miner.bytes());
        }
    }
    let statistics = miner.statistics();
    assert!(statistics.evicted > 900_000, "{statistics:?}");
    assert!(statistics.clusters > 100, "{statistics:?}");
}

#[test]
fn a_tree_of_nodes_without_clusters_is_rebuilt() {
    let mut miner = miner(&[
        ("max_bytes", "262144"),
        ("max_clusters", "10"),
        ("depth", "10"),
        ("max_children", "10000"),
    ]);
    let name = |mut i: u32| -> String {
        let mut name = String::new();
        loop {
            name.push(char::from(b'a' + (i % 26) as u8));
            i /= 26;
            if i == 0 {
                return name;
            }
        }
    };
    for i in 0..20_000 {
        miner.add(&format!("{} b c d e f g h i j", name(i)));
        assert!(miner.bytes() <= 262_144);
    }
    assert_eq!(miner.statistics().clusters, 10);
}

#[test]
fn a_state_with_another_depth_is_restored_from_its_templates() {
    let mut old = miner(&[("depth", "5")]);
    for line in ["alpha beta gamma", "alpha beta delta", "one two three four"] {
        old.add(line);
    }
    let mut new = miner(&[("max_clusters", "1")]);
    restore(&mut new, &saved(&old)).unwrap();
    assert_eq!(listed(&new), [(2, 1, "one two three four".into())]);
    assert_eq!(new.add("one two three four").cluster, 2);
    assert_eq!(new.add("something new").cluster, 3);
    // A template that no line can match any more is dropped and counted as evicted.
    let mut shorter = miner(&[("max_tokens", "3")]);
    restore(&mut shorter, &saved(&old)).unwrap();
    let statistics = shorter.statistics();
    assert_eq!(
        (statistics.created, statistics.evicted, statistics.clusters),
        (2, 1, 1)
    );
}

#[test]
fn an_impossible_state_is_refused() {
    let mut whole = miner(&[]);
    for line in ["alpha beta gamma", "one two", "three 4 five six"] {
        whole.add(line);
    }
    let state: State = postcard::from_bytes(&saved(&whole)).unwrap();
    let state = serde_json::to_value(state).unwrap();
    let broken = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut value = state.clone();
        change(&mut value);
        let state: State = serde_json::from_value(value).unwrap();
        let bytes = postcard::to_stdvec(&state).unwrap();
        assert!(restore(&mut whole.blank(), &bytes).is_err(), "{state:?}");
    };
    broken(&|s| s["clusters"][0]["id"] = 2.into());
    broken(&|s| s["clusters"][0]["id"] = 0.into());
    broken(&|s| s["clusters"][0]["id"] = 9.into());
    broken(&|s| s["clusters"][0]["template"] = serde_json::json!(["one"]));
    broken(&|s| s["nodes"][1]["clusters"] = serde_json::json!([]));
    broken(&|s| s["nodes"][1]["parent"] = 5.into());
    broken(&|s| s["nodes"] = serde_json::json!([]));
}

#[test]
fn a_known_line_takes_another_path_when_the_tree_has_grown() {
    let mut miner = miner(&[]);
    let mut reference = Reference::new(miner.options().clone());
    let lines = [
        "a1 x y z",
        "foo x y z",
        "foo x y z",
        "foo x y z",
        "foo p q r",
        "foo x y z",
    ];
    let ids = lines.map(|line| {
        let added = miner.add(line);
        assert_eq!((added.cluster, added.change), reference.add(line), "{line}");
        added.cluster
    });
    assert_eq!(ids, [1, 1, 1, 1, 2, 3]);
}

/// The steps that a line may take: those of a search of its words, and those of its upkeep, such as the eviction of a template of
/// `max_tokens` words, or the first index of a leaf. A line has at most one word in two bytes.
fn most_steps(line: &str) -> u64 {
    512 + 34 * line.len() as u64
}

#[test]
fn no_line_takes_more_steps_than_its_length_allows_on_a_full_tree() {
    let mut line = String::new();
    for (name, family) in HOSTILE {
        for len in [24, 120, 512] {
            let mut random = Random::new(len as u64);
            let mut miner = miner(&[("max_clusters", "600")]);
            for n in 0..2500 {
                line.clear();
                let family = if n < 600 { ordinary } else { family };
                family(&mut random, len, &mut line);
                let before = miner.statistics().steps;
                miner.add(&line);
                let steps = miner.statistics().steps - before;
                assert!(steps <= most_steps(&line), "{name}: {steps} for {line:?}");
            }
        }
    }
}

#[test]
fn no_search_for_an_ordinary_line_is_cut_and_those_for_lines_of_few_letters_are() {
    let mut miner = miner(&[]);
    let mut random = Random::new(3);
    let mut add = |family: hostile::Family, len: usize| {
        let mut line = String::new();
        family(&mut random, len, &mut line);
        miner.add(&line);
        miner.statistics()
    };
    for _ in 0..12_000 {
        let statistics = add(ordinary, 120);
        assert_eq!(statistics.cut, 0);
    }
    let (_, few_letters) = HOSTILE[2];
    let statistics = (0..4000).map(|_| add(few_letters, 120)).last();
    assert!(statistics.is_some_and(|s| s.cut > 100), "{statistics:?}");
}

/// Lines of few words, so that they resemble each other in many ways.
fn lines(most: usize) -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        8 => "[a-d]",
        3 => "[e-p]",
        1 => "[a-c][0-9]",
        1 => "[0-9]",
        1 => Just(PARAMETER_TEXT.to_owned()),
        1 => "[a-c]_[a-c]",
        1 => "é|\u{a0}|<:NUM:>",
    ];
    let line = proptest::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    // Drawn from few different lines, so that many repeat.
    let different = proptest::collection::vec(line, 1..150);
    (
        different,
        proptest::collection::vec(any::<prop::sample::Index>(), 1..most),
    )
        .prop_map(|(different, picked)| picked.iter().map(|i| i.get(&different).clone()).collect())
}

fn any_options() -> impl Strategy<Value = DrainOptions> {
    let sim_th = prop_oneof![
        Just(0.0),
        Just(0.3),
        Just(0.4),
        Just(0.5),
        Just(0.7),
        Just(1.0)
    ];
    (3usize..6, sim_th, 2usize..9, 1usize..80, any::<bool>()).prop_map(
        |(depth, sim_th, max_children, max_clusters, numeric)| DrainOptions {
            depth,
            sim_th,
            max_children,
            max_clusters,
            parametrize_numeric_tokens: numeric,
            ..DrainOptions::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_line_gets_the_cluster_of_the_reference_implementation(options in any_options(), lines in lines(800)) {
        let mut reference = Reference::new(options.clone());
        let mut miner = Miner::new(options).unwrap();
        for line in &lines {
            let added = miner.add(line);
            if miner.statistics().cut > 0 {
                return Ok(());
            }
            prop_assert_eq!((added.cluster, added.change), reference.add(line), "{:?}", line);
        }
        prop_assert_eq!(listed(&miner), reference.clusters());
    }

    #[test]
    fn a_restored_miner_continues_as_if_nothing_had_happened(options in any_options(), lines in lines(200), cut in 0usize..200) {
        let mut whole = Miner::new(options.clone()).unwrap();
        let cut = cut.min(lines.len());
        for line in &lines[..cut] {
            whole.add(line);
        }
        let mut restored = Miner::new(options).unwrap();
        restore(&mut restored, &saved(&whole)).unwrap();
        prop_assert_eq!(saved(&restored), saved(&whole));
        for line in &lines[cut..] {
            let added = (restored.add(line), whole.add(line));
            if restored.statistics().cut + whole.statistics().cut > 0 {
                return Ok(());
            }
            prop_assert_eq!(added.0, added.1, "{:?}", line);
        }
        prop_assert_eq!(listed(&restored), listed(&whole));
    }

    #[test]
    fn no_mixture_of_hostile_lines_takes_more_steps_than_their_lengths_allow(
        options in any_options(),
        lines in proptest::collection::vec((0..HOSTILE.len(), 1usize..300, any::<u64>()), 100..400),
    ) {
        let mut miner = Miner::new(DrainOptions { max_clusters: 300, ..options }).unwrap();
        let mut text = String::new();
        for (family, len, seed) in lines {
            text.clear();
            HOSTILE[family].1(&mut Random::new(seed), len, &mut text);
            let before = miner.statistics().steps;
            miner.add(&text);
            let steps = miner.statistics().steps - before;
            prop_assert!(steps <= most_steps(&text), "{} for {:?}", steps, text);
        }
    }

    #[test]
    fn no_text_causes_a_panic(lines in proptest::collection::vec(any::<String>(), 1..60)) {
        let mut miner = miner(&[("max_clusters", "5"), ("extra_delimiters", "_<:"), ("masks", r"X=[xyz]+\d ; Y=\w+-")]);
        for line in &lines {
            let cluster = miner.add(line).cluster;
            miner.parameters(cluster, line);
            prop_assert!(miner.template(cluster).is_some());
        }
    }
}

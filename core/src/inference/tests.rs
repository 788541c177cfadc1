//! Tests of reading with small lexicons.

use super::scoring::FLOOR;
use super::*;

/// A lexicon of this file and the built-in words that are alike, programs and names.
fn site(file: &str) -> Lexicon {
    Lexicon::with_site_file(file).unwrap()
}

/// A lexicon of nothing but this file.
fn only(file: &str) -> Lexicon {
    Lexicon::of_files(&["[source kernel]\nkernel\n[source vmm]\nlibvirtd\n", file]).unwrap()
}

fn finding(lexicon: &Lexicon, text: &str) -> Option<Finding> {
    lexicon
        .read(&Message::of(text).from_program("kernel"))
        .finding
}

/// The severity of `text` from the kernel; 0 without a finding.
fn severity(lexicon: &Lexicon, text: &str) -> f32 {
    finding(lexicon, text).map_or(0.0, |f| f.severity)
}

/// The same from another program.
fn severity_of(lexicon: &Lexicon, program: &str, text: &str) -> f32 {
    let message = Message::of(text).from_program(program);
    lexicon.read(&message).finding.map_or(0.0, |f| f.severity)
}

#[test]
fn a_phrase_gives_its_weight_its_family_and_its_own_name_as_the_reason() {
    let lexicon = site("[storage]\n0.9 warp core breach\n");
    let found = finding(&lexicon, "engine 3: WARP Core Breach, ejecting").unwrap();
    assert_eq!((found.severity, found.family), (0.9, Family::Storage));
    assert!(found.reason.contains("warp core breach") && found.source_known);
    assert_eq!(finding(&lexicon, "engine 3: all is well"), None);
}

#[test]
fn the_template_is_classified_if_there_is_no_text() {
    let message = Message {
        template: "Buffer I/O error on dev <:*:>, logical block <:NUM:>",
        ..Message::of("").from_program("kernel")
    };
    let read = |message: &Message<'_>| Lexicon::builtin().read(message).finding;
    assert!(read(&message).is_some());
    let message = Message {
        text: "all is well",
        ..message
    };
    assert!(read(&message).is_none());
}

#[test]
fn a_site_file_changes_adds_and_removes_phrases_and_programs() {
    let text = "Kernel panic - not syncing: x";
    assert!(severity(Lexicon::builtin(), text) >= 0.9);
    let lexicon = site("[benign]\n1 not syncing\n[storage]\n0.7 our own filer groans\n");
    assert_eq!(severity(&lexicon, text), 0.0);
    assert_eq!(severity(&lexicon, "OUR OWN FILER GROANS"), 0.7);
    assert_eq!(
        severity_of(&lexicon, "anything", "our own filer groans"),
        0.7,
        "a site believes whom it likes"
    );
    let lexicon = only("[storage]\n0.9 warp breach\n");
    assert_eq!(severity(&lexicon, "warp breach"), 0.9);
    let files = ["[storage]\n0.9 warp breach\n", "[storage]\n0 Warp breach\n"];
    assert!(Lexicon::of_files(&files).unwrap().is_empty());
    let lexicon = site("[source vmm]\nourvmm\n[from vmm]\n[vmm]\n0.8 warp breach\n");
    assert_eq!(severity_of(&lexicon, "ourvmm", "warp breach"), 0.8);
    assert_eq!(severity_of(&lexicon, "otherd", "warp breach"), 0.0);
}

#[test]
fn an_error_in_a_site_file_names_its_line() {
    let error = Lexicon::with_site_file("[storage]\n0.5 fine\nbad line\n").unwrap_err();
    assert_eq!(error.line, 3);
}

#[test]
fn a_phrase_counts_only_from_the_sources_that_it_is_declared_for() {
    let lexicon =
        only("[from kernel]\n[storage]\n0.9 warp breach\n[from vmm]\n[vmm]\n0.8 tachyon leak\n");
    assert_eq!(severity_of(&lexicon, "kernel", "warp breach"), 0.9);
    assert_eq!(severity_of(&lexicon, "libvirtd", "warp breach"), 0.0);
    assert_eq!(severity_of(&lexicon, "libvirtd", "tachyon leak"), 0.8);
    assert_eq!(severity_of(&lexicon, "sshd", "tachyon leak"), 0.0);
}

#[test]
fn without_a_source_a_phrase_counts_only_where_a_message_begins() {
    let lexicon = only("[from kernel]\n[storage]\n0.9 warp breach\n");
    for text in [
        "warp breach on deck 3",
        "engine 3: warp breach",
        "[12.5] engine (aft): warp breach",
    ] {
        let found = lexicon.read(&Message::of(text)).finding.unwrap();
        assert!(found.severity >= FAULT && !found.source_known, "{text}");
    }
    for text in [
        "Invalid user warp breach from 203.0.113.7",
        "GET /warp breach",
    ] {
        assert_eq!(severity_of(&lexicon, "", text), 0.0, "{text}");
    }
}

#[test]
fn words_stand_in_their_order_with_few_others_between() {
    let lexicon = only("[storage]\n0.9 temperature above threshold\n0.8 warp * breach\n");
    for text in [
        "temperature above threshold",
        "Temperature is above the threshold!",
        "core 3: temperature: above - threshold",
    ] {
        assert_eq!(severity(&lexicon, text), 0.9, "{text}");
    }
    for text in [
        "threshold above temperature",
        "temperature is far from being above its threshold",
        "temperatures above thresholds",
    ] {
        assert_eq!(severity(&lexicon, text), 0.0, "{text}");
    }
    assert_eq!(
        severity(&lexicon, "warp of the third deck has a breach"),
        0.8
    );
    let far = format!("warp {} breach", "x ".repeat(40));
    assert_eq!(severity(&lexicon, &far), 0.0);
    let wide = format!("warp {} breach", "x".repeat(200));
    assert_eq!(severity(&lexicon, &wide), 0.0);
}

#[test]
fn a_word_that_is_there_several_times_is_tried_each_time() {
    let lexicon = only("[storage]\n0.9 link of deck down\n");
    let text = "link up; link of a b deck; link of deck, link of deck 3 is down";
    assert_eq!(severity(&lexicon, text), 0.9);
}

#[test]
fn words_that_are_alike_stand_for_each_other() {
    let lexicon = only(
        "[alike]\nfailed, failing, fails\ncannot, could not, failed to\n[storage]\n0.9 cannot open warp\n0.8 core failed\n",
    );
    for text in [
        "cannot open warp",
        "Could not open the warp",
        "failed to open warp",
    ] {
        assert_eq!(severity(&lexicon, text), 0.9, "{text}");
    }
    assert_eq!(severity(&lexicon, "core is failing"), 0.8);
    assert_eq!(severity(&lexicon, "open warp"), 0.0);
}

#[test]
fn a_word_begins_and_ends_at_a_word_boundary() {
    let lexicon = only("[storage]\n0.9 warp breach\n");
    for text in [
        "warp breach",
        "[warp breach]",
        "x:warp breach.",
        "(warp) breach!",
    ] {
        assert_eq!(severity(&lexicon, text), 0.9, "{text}");
    }
    for text in [
        "swarp breach",
        "warp breaches",
        "_warp breach",
        "warp breach_2",
        "éwarp breach",
        "warp breaché",
        "9warp breach",
    ] {
        assert_eq!(severity(&lexicon, text), 0.0, "{text}");
    }
}

#[test]
fn an_open_word_may_continue() {
    let lexicon = only("[storage]\n0.9 warp* * has breach*\n0.7 deck*-gamma leaks\n");
    assert_eq!(severity(&lexicon, "warp7 core of deck 3 has breached"), 0.9);
    assert_eq!(severity(&lexicon, "decks12-gamma leaks"), 0.7);
    assert_eq!(severity(&lexicon, "deck 12-gamma leaks"), 0.0);
    assert_eq!(severity(&lexicon, "has breached: warp7"), 0.0);
    assert_eq!(severity(&lexicon, "warp7 has been checked"), 0.0);
}

#[test]
fn an_underscore_also_matches_the_space_that_a_parser_left() {
    let lexicon = only("[storage]\n0.9 warp_core_reaper gone\n");
    assert_eq!(severity(&lexicon, "warp core reaper: gone"), 0.9);
    assert_eq!(severity(&lexicon, "warp_core_reaper: gone"), 0.9);
}

#[test]
fn words_add_up_to_a_failure_only_if_they_refer_to_a_thing() {
    let lexicon =
        only("[words]\n0.3 wobbly\n0.3 creaky\n0.3 rusty\n[things hardware]\n0.3 flange\n");
    assert_eq!(severity(&lexicon, "wobbly creaky rusty"), 0.0);
    assert!(severity(&lexicon, "wobbly, creaky flange") >= FAULT);
    assert!(severity(&lexicon, "wobbly wobbly wobbly flange") < FAULT + 0.02);
    assert_eq!(severity(&lexicon, "flange"), 0.0);
    let found = finding(&lexicon, "wobbly, creaky flange").unwrap();
    assert_eq!(found.family, Family::Hardware);
    assert_eq!(found.reason, "\"wobbly\" and \"creaky\" about \"flange\"");
}

#[test]
fn the_level_that_a_program_states_is_evidence_but_never_the_verdict() {
    let lexicon =
        only("[words]\n0.3 wobbly\n[things hardware]\n0.2 flange\n[storage]\n0.9 warp breach\n");
    let at = |text, priority| {
        let message = Message::of(text)
            .from_program("kernel")
            .with_priority(priority);
        lexicon.read(&message).finding.map_or(0.0, |f| f.severity)
    };
    assert!(at("wobbly flange", None) < FAULT);
    assert!(at("wobbly flange", Some(3)) >= FAULT);
    assert!(at("*ERROR* wobbly flange", None) >= FAULT);
    assert!(at("wobbly flange", Some(6)) < at("wobbly flange", None));
    assert_eq!(at("all is well", Some(0)), 0.0);
    assert_eq!(
        at("warp breach", Some(6)),
        0.9,
        "some failures are logged as information"
    );
}

#[test]
fn what_an_unknown_program_says_is_a_hint_at_most() {
    let lexicon =
        only("[from kernel, other]\n[words]\n0.9 wobbly\n[things hardware]\n0.9 flange\n");
    assert!(severity(&lexicon, "wobbly flange") >= FAULT);
    let hint = severity_of(&lexicon, "nginx", "wobbly flange");
    assert!(hint > 0.0 && hint < FAULT, "{hint}");
}

#[test]
fn a_word_within_a_name_a_path_or_a_setting_does_not_count() {
    let lexicon =
        only("[words]\n0.4 wobbly\n[things storage]\n0.1 flange\n[storage]\n0.9 warp breach\n");
    let severity = |text: &str| severity(&lexicon, &format!("{text} flange"));
    for text in ["wobbly", "is wobbly.", "(wobbly)", "wobbly: yes"] {
        assert!(severity(text) >= FLOOR, "{text}");
    }
    for text in [
        "/var/wobbly",
        "wobbly.log",
        "non-wobbly",
        "wobbly=1",
        "x=wobbly",
        "a.wobbly",
        "$wobbly",
        "\"wobbly\"",
        "/var/warp breach",
        "warp breach.log",
    ] {
        assert_eq!(severity(text), 0.0, "{text}");
    }
}

#[test]
fn names_that_strangers_choose_are_no_text() {
    let lexicon = only("[names]\nProduct: <name>\n[storage]\n0.9 warp breach\n");
    for text in [
        "usb 1-1: Product: warp breach",
        "domain 'warp breach' is up",
        "label \"warp breach\" found",
    ] {
        assert_eq!(severity(&lexicon, text), 0.0, "{text}");
    }
    assert_eq!(severity(&lexicon, "level=error msg=\"warp breach\""), 0.9);
    assert_eq!(severity(&lexicon, "warp breach on 'x'"), 0.9);
    let quoted = only("[storage]\n0.9 ended with 'warp-breach'\n");
    assert_eq!(severity(&quoted, "it ended with 'warp-breach'."), 0.9);
}

#[test]
fn a_phrase_may_begin_in_the_name_of_a_process_but_not_lie_in_it() {
    let lexicon = only(
        "[names]\n<process>]: segfault\n[process]\n0.9 warpd* segfault\n[storage]\n0.9 warp breach\n",
    );
    assert_eq!(severity(&lexicon, "warpd[12]: segfault at 0"), 0.9);
    assert_eq!(severity(&lexicon, "warp breach[12]: segfault at 0"), 0.0);
    assert_eq!(severity(&lexicon, "warp breach: segfault at 0"), 0.9);
}

#[test]
fn the_word_that_states_the_level_is_no_word_of_failure() {
    let lexicon = only("[words]\n0.4 error\n[things hardware]\n0.3 flange\n");
    assert_eq!(severity(&lexicon, "flange: *ERROR* all is well"), 0.0);
    assert!(severity(&lexicon, "flange: an error of it") > 0.0);
}

#[test]
fn a_count_of_none_is_told_from_the_end_of_an_address() {
    let lexicon = only("[storage]\n0.9 failed badly\n[hidden]\n0 failed\n");
    assert_eq!(severity(&lexicon, "0 failed badly"), 0.0);
    assert_eq!(severity(&lexicon, "00:1f.0 failed badly"), 0.9);
    assert_eq!(severity(&lexicon, "0:0:1:0 failed badly"), 0.9);
}

#[test]
fn benign_context_outweighs_phrases_up_to_its_own_weight() {
    let lexicon = only("[storage]\n0.9 warp breach\n0.6 warp leak\n[benign]\n0.7 drill\n");
    assert_eq!(severity(&lexicon, "drill: warp leak"), 0.0);
    assert_eq!(severity(&lexicon, "drill: warp breach"), 0.9);
}

#[test]
fn what_is_routine_outweighs_words_and_no_phrase() {
    let lexicon = only(
        "[words]\n0.4 wobbly\n[things hardware]\n0.4 flange\n[storage]\n0.6 warp breach\n[routine]\n0.8 could not register\n",
    );
    assert!(severity(&lexicon, "wobbly flange") >= FAULT);
    assert_eq!(severity(&lexicon, "wobbly flange: could not register"), 0.0);
    assert_eq!(severity(&lexicon, "warp breach: could not register"), 0.6);
}

#[test]
fn context_of_a_report_counts_for_its_own_line_and_is_passed_on() {
    let lexicon = only("[storage]\n0.9? warp breach\n[report]\n0.95 deck sealed again\n");
    let read = |text| lexicon.read(&Message::of(text).from_program("kernel"));
    assert!(read("warp breach").finding.unwrap().tentative);
    let sealed = read("nvme1: deck was sealed again");
    assert_eq!((sealed.finding, sealed.pardon), (None, 0.95));
    assert_eq!(
        sealed.pardoned,
        Some(FailureSubject::Device("nvme1".into()))
    );
    assert_eq!(read("warp breach, deck sealed again").finding, None);
    let stranger = lexicon.read(&Message::of("deck sealed again").from_program("nginx"));
    assert_eq!(stranger.pardon, 0.0);
}

#[test]
fn a_hidden_phrase_hides_its_own_range_and_nothing_else() {
    let lexicon = only("[storage]\n0.9 warp breach\n[hidden]\nno warp breach\n");
    assert_eq!(severity(&lexicon, "no warp breach"), 0.0);
    assert_eq!(severity(&lexicon, "no warp breach. Now: warp breach"), 0.9);
}

#[test]
fn a_placeholder_is_a_value_and_not_a_word() {
    let lexicon = only("[storage]\n0.9 num\n0.8 warp * breach\n");
    assert_eq!(severity(&lexicon, "<:NUM:> of 12"), 0.0);
    assert_eq!(severity(&lexicon, "num of 12"), 0.9);
    for value in ["<:NUM:>", "<:*:>", "<*>", "7"] {
        let text = format!("warp {value} breach");
        assert_eq!(severity(&lexicon, &text), 0.8, "{value}");
    }
}

#[test]
fn a_megabyte_of_matches_is_classified() {
    let text = "Buffer I/O error on dev sda, logical block 7 error failed timeout ".repeat(20_000);
    assert!(severity(Lexicon::builtin(), &text) >= FAULT);
}

#[test]
fn no_phrase_of_one_file_is_there_twice() {
    for file in lexicon::BUILTIN {
        let mut seen = rustc_hash::FxHashSet::default();
        for entry in syntax::parse(file).unwrap().entries {
            let phrase = entry.phrase.to_ascii_lowercase();
            let key = (phrase, entry.role.is_loose(), entry.classes);
            assert!(seen.insert(key), "{}", entry.phrase);
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_classified_without_panic_and_within_range(
        text in "\\PC{0,300}",
        at in 0usize..4000,
        program in proptest::sample::select(&["", "kernel", "libvirtd", "sshd"][..]),
    ) {
        let entry = &Lexicon::builtin().phrases[at % Lexicon::builtin().len()];
        for text in [text.clone(), format!("{text}{}{text}", entry.text)] {
            let message = Message::of(&text).from_program(program);
            if let Some(found) = Lexicon::builtin().read(&message).finding {
                proptest::prop_assert!(found.severity > 0.0 && found.severity <= 1.0);
                proptest::prop_assert!(!found.reason.is_empty());
            }
        }
    }

    #[test]
    fn capital_letters_do_not_matter(at in 0usize..4000) {
        let entries = &Lexicon::builtin().phrases;
        // A level is a word in capitals and then no word of failure; a source is one in small letters.
        let is_phrase = |entry: &&phrase::Phrase| {
            matches!(entry.role, syntax::Role::Phrase(_)) && entry.weight >= FAULT
                && entry.classes.contains(SourceClass::Kernel)
                && !entry.text.contains("kernel:")
        };
        let entry = entries.iter().cycle().skip(at % entries.len()).find(is_phrase).unwrap();
        let text = entry.text.replace('*', "x");
        let read = |text: &str| {
            let message = Message::of(text).from_program("kernel").with_priority(Some(0));
            Lexicon::builtin().read(&message).finding.is_some_and(|f| f.severity >= FAULT)
        };
        let (lower, upper) = (text.to_ascii_lowercase(), text.to_ascii_uppercase());
        proptest::prop_assert_eq!(read(&lower), read(&upper), "{}", text);
    }
}

//! `src/raw.rs` and the types around it have what `include/bellwether.h` declares. (That `raw.rs` is what bindgen makes of the header is
//! tested where the header is.)

use std::fs;
use std::path::{Path, PathBuf};

use bellwether_sys::raw;
use bellwether_sys::{
    Change, DrainCounters, ErrorKind, Fate, HadCounters, LadCounters, NoticeKind, Outcome,
    RecordOutcome, ResourceCounters, RiskCounters, RiskOutcome, RiskSource, RowOutcome, Transport,
    Verdict,
};

fn in_package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The header without its comments, each run of white space as one space.
fn code() -> String {
    let header = fs::read_to_string(in_package("../../include/bellwether.h"));
    let mut code = String::new();
    for part in header.expect("the header is committed").split("/*") {
        code += part.split_once("*/").map_or(part, |(_, code)| code);
    }
    let lines = code
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
    words.join(" ")
}

#[test]
fn the_bindings_have_every_function_of_the_header() {
    let code = code();
    let (_, declarations) = code.split_once("extern \"C\" {").unwrap();
    let bindings = fs::read_to_string(in_package("src/raw.rs")).unwrap();
    let mut functions = 0;
    for declaration in declarations.split([';', '}']) {
        let Some((head, _)) = declaration.split_once('(') else {
            continue;
        };
        let name = head.rsplit([' ', '*']).next().unwrap();
        assert!(
            bindings.contains(&format!("pub unsafe fn {name}(")),
            "{name}"
        );
        functions += 1;
    }
    assert!(functions > 30, "{functions}");
}

/// The names and values of the header's enumerators.
fn declared_values() -> Vec<(String, u32)> {
    let code = code();
    let enums = code.split("typedef enum {").skip(1);
    let bodies = enums
        .filter_map(|rest| rest.split_once('}'))
        .map(|(body, _)| body);
    let values = bodies.flat_map(|body| body.split(','));
    let values = values.filter_map(|value| value.split_once('='));
    values
        .map(|(name, value)| (name.trim().to_owned(), value.trim().parse().unwrap()))
        .collect()
}

#[test]
fn every_code_of_the_header_is_known_by_its_name() {
    let camel = |name: &str| {
        let words = name
            .split('_')
            .map(|word| word[..1].to_owned() + &word[1..].to_lowercase());
        words.collect::<String>()
    };
    let declared = declared_values();
    assert!(declared.len() >= 20, "{declared:?}");
    for (name, value) in declared {
        // The types of fields, and the flags of a batch, are read where they are used.
        if name.starts_with("BW_FIELD_") || name.starts_with("BW_LAD_FLAG_") {
            continue;
        }
        let transports = [
            Transport::Unknown,
            Transport::Kernel,
            Transport::Process,
            Transport::Container,
        ];
        let verdicts = [
            Verdict::None,
            Verdict::Benign,
            Verdict::Failure,
            Verdict::LikelyBenign,
            Verdict::LikelyFailure,
        ];
        let sources = [
            RiskSource::Log,
            RiskSource::Had,
            RiskSource::Resource,
            RiskSource::Novelty,
        ];
        let here = if name.starts_with("BW_HAD_OUTCOME_") {
            format!("BwHadOutcome{:?}", Outcome::from(value))
        } else if name.starts_with("BW_LAD_OUTCOME_") {
            format!("BwLadOutcome{:?}", RecordOutcome::from(value))
        } else if name.starts_with("BW_DRAIN_CHANGE_") {
            format!("BwDrainChange{:?}", Change::from(value))
        } else if name.starts_with("BW_LAD_VERDICT_") {
            let verdict = verdicts.into_iter().find(|v| *v as u32 == value).unwrap();
            format!("BwLadVerdict{verdict:?}")
        } else if name.starts_with("BW_LAD_TRANSPORT_") {
            let transport = transports.into_iter().find(|t| *t as u32 == value).unwrap();
            format!("BwLadTransport{transport:?}")
        } else if name.starts_with("BW_HAD_NOTICE_") {
            format!("BwHadNotice{:?}", NoticeKind::from(value))
        } else if name.starts_with("BW_RESOURCE_OUTCOME_") {
            format!("BwResourceOutcome{:?}", RowOutcome::from(value))
        } else if name.starts_with("BW_RISK_OBSERVE_") {
            format!("BwRiskObserve{:?}", RiskOutcome::from(value))
        } else if name.starts_with("BW_RISK_SOURCE_") {
            let source = sources.into_iter().find(|s| *s as u32 == value).unwrap();
            format!("BwRiskSource{source:?}")
        } else if name.starts_with("BW_RISK_FATE_") {
            let fates = [Fate::Failed, Fate::Unknown];
            let fate = fates.into_iter().find(|f| *f as u32 == value).unwrap();
            format!("BwRiskFate{fate:?}")
        } else if value == raw::BW_OK {
            "BwOk".into()
        } else {
            format!("Bw{:?}", ErrorKind::from(value))
        };
        assert_eq!(here, camel(&name));
    }
}

#[test]
fn every_counter_of_the_library_is_known_by_its_name_and_no_other() {
    use bellwether_sys::{
        DrainOptions, HadOptions, LadOptions, Library, ResourceOptions, RiskOptions, own_folders,
    };

    let library = Library::load(own_folders()).expect("the library is beside the tests");
    let names = |detector: *mut raw::bw_detector| {
        let f = library.functions();
        let mut names = Vec::new();
        loop {
            let mut name = raw::bw_string::NONE;
            // SAFETY: the detector is not freed, and the name may be written to; the value may be NULL.
            let found = unsafe {
                f.bw_detector_counter(detector, names.len(), &mut name, std::ptr::null_mut())
            };
            if !found {
                names.sort();
                return names;
            }
            // SAFETY: the name is static and has that many bytes.
            let name = unsafe { std::slice::from_raw_parts(name.data.cast::<u8>(), name.size) };
            names.push(String::from_utf8(name.to_vec()).unwrap());
        }
    };
    let known = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };
    let had = library.had(&HadOptions::new(&library)).unwrap();
    let lad = library.lad(&LadOptions::new(&library)).unwrap();
    let risk = library.risk(&RiskOptions::new(&library)).unwrap();
    let drain = library.drain(&DrainOptions::new(&library)).unwrap();
    assert_eq!(names(had.as_raw()), known(HadCounters::NAMES));
    assert_eq!(names(lad.as_raw()), known(LadCounters::NAMES));
    let resource = library.resource(&ResourceOptions::new(&library)).unwrap();
    assert_eq!(names(resource.as_raw()), known(ResourceCounters::NAMES));
    assert_eq!(names(risk.as_raw()), known(RiskCounters::NAMES));
    assert_eq!(names(drain.as_raw()), known(DrainCounters::NAMES));
}

//! What `src/raw.rs` says by hand is what `include/bellwether.h` says: a C program that includes the header prints sizes,
//! places and values, and is compiled only where the functions have the types that are written here.

use std::ffi::c_char;
use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use bellwether_sys::raw::{self, Functions};
use bellwether_sys::{Change, ErrorKind, NoticeKind, Outcome, RecordOutcome, Verdict};

fn header() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include/bellwether.h");
    fs::read_to_string(path).expect("the header is committed")
}

/// The header without its comments.
fn code() -> String {
    let mut code = String::new();
    for part in header().split("/*") {
        code += part.split_once("*/").map_or(part, |(_, code)| code);
    }
    code
}

/// A Rust type of `raw.rs` as C writes it.
fn c_type(rust: &str) -> String {
    let rust = rust.trim();
    if let Some(target) = rust.strip_prefix("*mut ") {
        return format!("{} *", c_type(target));
    }
    if let Some(target) = rust.strip_prefix("*const ") {
        return format!("{} const *", c_type(target));
    }
    match rust {
        "" => "void",
        "c_char" => "char",
        "f64" => "double",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "usize" => "size_t",
        other => other,
    }
    .to_owned()
}

/// The size of a struct and the type and place of each of its fields, as Rust sees them.
macro_rules! layout {
    ($name:ident { $($field:ident),+ }) => {{
        let some = std::mem::MaybeUninit::<raw::$name>::zeroed();
        // SAFETY: zeros are sizes, numbers, NULL and false.
        let some = unsafe { some.assume_init() };
        let fields = vec![$(Field {
            name: stringify!($field),
            c_type: CType::name(&some.$field),
            offset: offset_of!(raw::$name, $field),
        }),+];
        Layout { name: stringify!($name), size: size_of::<raw::$name>(), fields }
    }};
}

struct Layout {
    name: &'static str,
    size: usize,
    fields: Vec<Field>,
}

struct Field {
    name: &'static str,
    c_type: String,
    offset: usize,
}

/// A type that fields have.
trait CType {
    /// The type as C writes it.
    fn name(&self) -> String;
}

macro_rules! c_types {
    ($($rust:ty),+) => {$(
        impl CType for $rust {
            fn name(&self) -> String {
                c_type(stringify!($rust))
            }
        }
    )+};
}

c_types!(usize, u64, u32, f64, bool, *const c_char);

fn layouts() -> Vec<Layout> {
    vec![
        layout!(bw_option_info {
            size,
            name,
            kind,
            default_value,
            allowed,
            unit,
            help
        }),
        layout!(bw_observation {
            size,
            hypervisor,
            hypervisor_len,
            vm,
            vm_len,
            metric,
            metric_len,
            time,
            interval,
            value
        }),
        layout!(bw_counters {
            size,
            taken,
            duplicate,
            late,
            ignored,
            masked,
            refused,
            full,
            events_lost,
            hypervisors,
            vms,
            hypervisors_evicted,
            vms_evicted,
            set_aside,
            intervals_changed,
            clock_steps,
            unjudged
        }),
        layout!(bw_status {
            size,
            hypervisor,
            hypervisor_len,
            metric,
            metric_len,
            time,
            score,
            consensus,
            voters,
            vms,
            raised,
            interval
        }),
        layout!(bw_record {
            size,
            stream,
            stream_len,
            text,
            text_len,
            time,
            has_priority,
            priority,
            program,
            program_len,
            unit,
            unit_len,
            tag,
            tag_len
        }),
        layout!(bw_observed {
            size,
            template_id,
            template_text,
            template_len,
            family,
            severity,
            score,
            outcome,
            failure,
            alarm,
            novel,
            training
        }),
        layout!(bw_log_counters {
            size,
            taken,
            refused,
            full,
            failures,
            novel,
            episodes,
            events_lost,
            streams_forgotten,
            streams,
            templates,
            templates_evicted,
            windows,
            bytes,
            open_episodes
        }),
        layout!(bw_added {
            size,
            template_id,
            change
        }),
    ]
}

/// The fields of every struct of the header, by the struct's name.
fn declared_structs() -> Vec<(String, Vec<String>)> {
    let code = code();
    let structs = code.split("typedef struct {").skip(1).map(|rest| {
        let (fields, rest) = rest.split_once('}').expect("a struct ends");
        let (name, _) = rest.split_once(';').expect("a struct has a name");
        let fields = fields
            .split(';')
            .filter_map(|field| field.rsplit([' ', '*']).next());
        let fields = fields.map(str::trim).filter(|field| !field.is_empty());
        (name.trim().to_owned(), fields.map(String::from).collect())
    });
    structs.collect()
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
fn functions_structs_and_values_are_those_of_the_header() {
    let layouts = layouts();
    let mut c = String::from("#include <bellwether.h>\n#include <stdio.h>\n\n");
    for (name, arguments, result) in Functions::SIGNATURES {
        let arguments: Vec<String> = arguments.iter().map(|a| c_type(a)).collect();
        let arguments = if arguments.is_empty() {
            "void".into()
        } else {
            arguments.join(", ")
        };
        writeln!(
            c,
            "{} (*const check_{name})({arguments}) = {name};",
            c_type(result)
        )
        .unwrap();
    }
    c += "_Static_assert(sizeof(bw_result) == sizeof(unsigned), \"bw_result\");\n";
    c += "_Static_assert(sizeof(bw_change) == sizeof(unsigned), \"bw_change\");\n";
    c += "_Static_assert(sizeof(bw_record_outcome) == sizeof(unsigned), \"bw_record_outcome\");\n";
    c += "_Static_assert(sizeof(bw_outcome) == sizeof(unsigned), \"bw_outcome\");\n";
    c += "_Static_assert(sizeof(bw_notice) == sizeof(unsigned), \"bw_notice\");\n";
    c += "int main(void) {\n  printf(\"abi %u\\n\", (unsigned)BW_ABI_VERSION);\n";
    let mut expected = format!("abi {}\n", raw::ABI_VERSION);
    for Layout { name, size, fields } in &layouts {
        writeln!(c, "  printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
        writeln!(expected, "{name} {size}").unwrap();
        for Field {
            name: field,
            c_type,
            offset,
        } in fields
        {
            writeln!(c, "  static {name} some_{name}_{field};").unwrap();
            writeln!(
                c,
                "  {c_type} *{name}_{field} = &some_{name}_{field}.{field};"
            )
            .unwrap();
            writeln!(
                c,
                "  printf(\"{name}.{field} %zu\\n\", offsetof({name}, {field}));"
            )
            .unwrap();
            writeln!(expected, "{name}.{field} {offset}").unwrap();
        }
    }
    c += "  return 0;\n}\n";

    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("check.c"), folder.path().join("check"));
    fs::write(&source, &c).unwrap();
    let beside = env::current_exe().unwrap();
    let beside = beside.parent().unwrap();
    let compiled = Command::new(env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Wno-unused-variable",
            "-Werror",
            "-I",
        ])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include"))
        .arg("-o")
        .args([&program, &source])
        .arg("-L")
        .arg(beside)
        .arg("-lbellwether")
        .output()
        .expect("there is a C compiler");
    assert!(
        compiled.status.success(),
        "{}\n{c}",
        String::from_utf8_lossy(&compiled.stderr)
    );
    let ran = Command::new(program)
        .env("LD_LIBRARY_PATH", beside)
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(String::from_utf8_lossy(&ran.stdout), expected);
}

#[test]
fn nothing_of_the_header_is_missing_here() {
    let code = code();
    let (_, functions) = code.split_once("extern \"C\" {").unwrap();
    let functions = functions
        .lines()
        .filter(|line| !line.starts_with([' ', '/']));
    let declared: Vec<_> = functions
        .filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next())
        .collect();
    let here: Vec<_> = Functions::SIGNATURES
        .iter()
        .map(|(name, ..)| *name)
        .collect();
    assert_eq!(here, declared);

    let here: Vec<_> = layouts()
        .into_iter()
        .map(|layout| {
            let fields = layout.fields.into_iter().map(|field| field.name.to_owned());
            (layout.name.to_owned(), fields.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(here, declared_structs());
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
        let name = name.as_str();
        let verdicts = [Verdict::None, Verdict::Benign, Verdict::Failure];
        let here = match name {
            _ if name.starts_with("BW_OUTCOME_") => format!("BwOutcome{:?}", Outcome::from(value)),
            _ if name.starts_with("BW_RECORD_") => {
                format!("BwRecord{:?}", RecordOutcome::from(value))
            }
            _ if name.starts_with("BW_CHANGE_") => format!("BwChange{:?}", Change::from(value)),
            _ if name.starts_with("BW_VERDICT_") => {
                let verdict = verdicts.into_iter().find(|v| *v as u32 == value).unwrap();
                format!("BwVerdict{verdict:?}")
            }
            _ if name.starts_with("BW_NOTICE_") => format!("BwNotice{:?}", NoticeKind::from(value)),
            _ if value == raw::OK => "BwOk".into(),
            _ => format!("Bw{:?}", ErrorKind::from(value)),
        };
        assert_eq!(here, camel(name));
    }
}

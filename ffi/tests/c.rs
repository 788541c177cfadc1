//! The C programs in `tests/c` use the library as its users do. They are compiled, run, and run again under valgrind.

mod common;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{WARNINGS, built, compile_c, compiler, in_package, skip, succeed};

/// The programs in `tests/c`, without their `.c`.
const PROGRAMS: [&str; 11] = [
    "options", "structs", "detector", "batch", "events", "snapshot", "threads", "lad", "risk",
    "resource", "drain",
];

/// Arguments that link with the shared object in the folder `built`.
fn shared(built: &Path) -> Vec<String> {
    vec![
        format!("-I{}", in_package("../include").display()),
        format!("-L{}", built.display()),
        "-lbellwether".into(),
        "-lm".into(),
    ]
}

/// Compiles the program `name` into `folder` and gives a command that runs it there.
fn program(name: &str, folder: &Path, linking: &[String]) -> Command {
    let program = folder.join(name);
    let linking: Vec<&OsStr> = linking.iter().map(OsStr::new).collect();
    compile_c(
        &in_package(&format!("tests/c/{name}.c")),
        &program,
        &linking,
    );
    Command::new(program)
}

/// Lets `command` load the shared object in the folder `built`. Cargo has set the same variable for the tests, so that a path
/// in the program would come too late.
fn loading<'a>(command: &'a mut Command, built: &Path) -> &'a mut Command {
    command.env("LD_LIBRARY_PATH", built)
}

#[test]
fn the_c_programs_are_content_with_the_shared_object() {
    let built = built();
    for name in PROGRAMS {
        let folder = tempfile::tempdir().unwrap();
        let mut program = program(name, folder.path(), &shared(&built));
        succeed(loading(&mut program, &built).current_dir(&folder));
    }
}

#[test]
fn the_c_programs_are_content_with_the_static_library() {
    // What rustc's own libraries need of the system: the same as Libs.private in bellwether.pc.in.
    let mut linking = vec![
        format!("-I{}", in_package("../include").display()),
        format!("{}", built().join("libbellwether.a").display()),
    ];
    linking.extend(["-lgcc_s", "-lpthread", "-lm", "-ldl"].map(String::from));
    for name in PROGRAMS {
        let folder = tempfile::tempdir().unwrap();
        succeed(program(name, folder.path(), &linking).current_dir(&folder));
    }
}

#[test]
fn the_c_programs_are_content_with_a_malloc_that_aligns_to_8_bytes_only() {
    let built = built();
    let folder = tempfile::tempdir().unwrap();
    let malloc = folder.path().join("malloc8.so");
    compile_c(
        &in_package("tests/c/malloc8.c"),
        &malloc,
        &["-shared", "-fPIC", "-ldl"].map(OsStr::new),
    );
    for name in PROGRAMS {
        let folder = tempfile::tempdir().unwrap();
        let mut program = program(name, folder.path(), &shared(&built));
        program.env("LD_PRELOAD", &malloc).current_dir(&folder);
        succeed(loading(&mut program, &built));
    }
}

#[test]
fn valgrind_finds_no_error_and_no_leak_in_the_c_programs() {
    // Without the symbols of the dynamic linker, valgrind is there and still cannot start.
    let works = Command::new("valgrind").args(["--quiet", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        skip(
            "valgrind (with libc6-dbg) is not installed, so nobody looked for leaks and wrong reads",
        );
        return;
    }
    let built = built_without_optimization();
    for name in PROGRAMS {
        let folder = tempfile::tempdir().unwrap();
        let program = program(name, folder.path(), &shared(&built));
        succeed(
            loading(&mut Command::new("valgrind"), &built)
                .args(["--quiet", "--error-exitcode=9", "--leak-check=full"])
                .args(["--show-leak-kinds=all", "--errors-for-leak-kinds=all"])
                // Unoptimized, the standard library is many calls deep: the suppressed function would be cut off.
                .arg("--num-callers=64")
                .arg(format!(
                    "--suppressions={}",
                    in_package("tests/c/valgrind.supp").display()
                ))
                .arg(program.get_program())
                .current_dir(&folder),
        );
    }
}

#[test]
fn the_header_is_cplusplus_too() {
    if compiler("CXX", "c++").arg("--version").output().is_err() {
        skip("there is no C++ compiler, so nobody looked whether the header is C++");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("plusplus");
    succeed(
        compiler("CXX", "c++")
            .arg("-std=c++11")
            .args(WARNINGS)
            .arg("-o")
            .args([&program, &in_package("tests/c/plusplus.cc")])
            .args(shared(&built())),
    );
    succeed(loading(&mut Command::new(program), &built()));
}

#[test]
fn the_books_example_compiles_and_prints_what_the_book_shows() {
    let page = fs::read_to_string(in_package("../docs/c-api.md")).unwrap();
    let block = |language: &str| {
        let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
        rest.split_once("```").unwrap().0
    };
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("fleet.c"), folder.path().join("fleet"));
    fs::write(&source, block("c")).unwrap();
    let linking = shared(&built());
    let linking: Vec<&OsStr> = linking.iter().map(OsStr::new).collect();
    compile_c(&source, &program, &linking);
    let output = succeed(loading(&mut Command::new(program), &built()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), block("text"));
}

/// The commands of the README that run the examples.
fn commands_of_the_readme() -> Vec<String> {
    let readme = fs::read_to_string(in_package("README.md")).unwrap();
    let (_, block) = readme.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(String::from).collect()
}

/// Runs a command of the README as it stands there, but with the library of this build.
fn run_command(command: &str, built: &Path, folder: &Path) -> String {
    let folder = folder.display();
    let command = command
        .replace("target/release", &built.display().to_string())
        .replace("-o fleet", &format!("-o {folder}/fleet"))
        .replace("./fleet", &format!("{folder}/fleet"));
    let output = succeed(
        Command::new("sh")
            .args(["-c", &command])
            .env_remove("LD_LIBRARY_PATH")
            .current_dir(in_package("..")),
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_example_in_c_runs_with_the_commands_of_the_readme() {
    let folder = tempfile::tempdir().unwrap();
    let commands = commands_of_the_readme();
    let [build, compile, run, _] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    assert_eq!(build, "cargo build --release -p bellwether-ffi");
    run_command(compile, &built(), folder.path());
    let printed = run_command(run, &built(), folder.path());
    let states: Vec<&str> = printed
        .split(' ')
        .filter_map(|field| field.strip_prefix("state="))
        .collect();
    assert_eq!(states, ["raised", "cleared"], "{printed}");
    assert!(printed.starts_with("event=hypervisor_anomaly schema=1 "));
}

#[test]
fn the_example_in_python_runs_with_the_command_of_the_readme() {
    if Command::new("python3").arg("--version").output().is_err() {
        skip("python3 is not installed, so nobody ran the example in Python");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let commands = commands_of_the_readme();
    let printed = run_command(commands.last().unwrap(), &built(), folder.path());
    let lines: Vec<&str> = printed.lines().collect();
    let state = |line: &str| {
        let event: serde_json::Value = serde_json::from_str(line).expect(line);
        event["state"].as_str().unwrap().to_owned()
    };
    assert_eq!([state(lines[0]), state(lines[1])], ["raised", "cleared"]);
    assert_eq!(lines[2], "taken: 2400", "{printed}");
}

#[test]
fn the_examples_are_valid_in_every_standard_that_the_header_is_for() {
    let folder = tempfile::tempdir().unwrap();
    for standard in ["-std=c99", "-std=c11"] {
        succeed(
            compiler("CC", "cc")
                .arg(standard)
                .args(WARNINGS)
                .arg("-c")
                .arg(in_package("examples/fleet.c"))
                .arg(format!("-I{}", in_package("../include").display()))
                .arg("-o")
                .arg(folder.path().join("fleet.o")),
        );
    }
}

/// Builds the library once more, without optimization, and gives the folder that it is in. Optimized code may compute with
/// what is not set and then not use it, such as the inside of an `Option` that is `None`; valgrind takes that for an error.
fn built_without_optimization() -> PathBuf {
    let cargo = succeed(
        Command::new(env!("CARGO"))
            .args(["build", "--offline", "--package", "bellwether-ffi"])
            .args(["--message-format", "json", "--target-dir"])
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("unoptimized"))
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .current_dir(in_package("")),
    );
    let messages = String::from_utf8(cargo.stdout).unwrap();
    let made = messages
        .split('"')
        .find(|text| text.ends_with("/libbellwether.so"))
        .expect("cargo says what it made");
    PathBuf::from(made).parent().unwrap().to_owned()
}

/// The functions that the header declares.
fn declared() -> Vec<String> {
    let header = fs::read_to_string(in_package("../include/bellwether.h")).unwrap();
    let (_, functions) = header.split_once("extern \"C\" {").unwrap();
    let functions = functions
        .lines()
        .filter(|line| !line.starts_with([' ', '/', '#']));
    let names = functions.filter_map(|line| line.split_once('(')?.0.rsplit([' ', '*']).next());
    names.map(String::from).collect()
}

#[test]
fn every_function_of_the_header_is_called_by_a_c_program() {
    let programs = PROGRAMS.map(|name| {
        let path = in_package(&format!("tests/c/{name}.c"));
        fs::read_to_string(path).unwrap()
    });
    let declared = declared();
    assert!(declared.len() > 20, "{declared:?}");
    for function in declared {
        // Either called, or handed to the macro that calls it.
        let called = [format!("{function}("), format!("{function},")];
        assert!(
            programs
                .iter()
                .any(|program| called.iter().any(|call| program.contains(call))),
            "no program in tests/c calls {function}"
        );
    }
}

#[test]
fn the_shared_object_exports_the_headers_functions_and_nothing_else() {
    let nm = succeed(
        Command::new("nm")
            .args(["-D", "--defined-only", "--format=posix"])
            .arg(built().join("libbellwether.so")),
    );
    let nm = String::from_utf8(nm.stdout).unwrap();
    let mut exported: Vec<_> = nm
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let mut declared = declared();
    exported.sort_unstable();
    declared.sort_unstable();
    assert_eq!(exported, declared);
}

#[test]
fn the_shared_object_is_named_after_its_interface() {
    let program = succeed(
        Command::new("readelf")
            .arg("-d")
            .arg(built().join("libbellwether.so")),
    );
    let dynamic = String::from_utf8_lossy(&program.stdout).into_owned();
    let number = bellwether::BW_ABI_VERSION >> 16;
    let soname = format!("soname: [libbellwether.so.{number}]");
    assert!(dynamic.contains(&soname), "{dynamic}");
}

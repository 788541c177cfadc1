//! What may depend on what: between the crates, and between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use regex::Regex;
use serde_json::Value;

/// What only these use is in nothing that is installed.
const NOT_INSTALLED: [&str; 2] = ["bellwether-lab", "bellwether-tests"];
/// Crates of the laboratory: their names, or the beginnings of their names.
const LABORATORY: [&str; 5] = ["bellwether-lab", "comfy-table", "plotters", "rand", "tpe"];
/// The folders of crates whose import circles are bounded.
const BOUNDED: [&str; 9] = [
    "cli",
    "collectd-plugin",
    "controller",
    "core",
    "lab",
    "language-model",
    "records",
    "report",
    "tests",
];
/// The most files of an import circle.
const CIRCLE_MAX: usize = 4;
/// The most lines of Rust of the command for operators, its tests included.
const CLI_LINES_MAX: usize = 4_500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What cargo prints.
fn cargo(arguments: &[&str]) -> Result<String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {arguments:?}: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The names of the workspace's crates, each with those of its direct dependencies.
fn members() -> Result<BTreeMap<String, Vec<String>>> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let name = |of: &Value| of["name"].as_str().unwrap_or_default().to_owned();
    let packages = metadata["packages"].as_array().context("no packages")?;
    let member = |package: &Value| {
        let dependencies = package["dependencies"].as_array();
        (
            name(package),
            dependencies.into_iter().flatten().map(name).collect(),
        )
    };
    Ok(packages.iter().map(member).collect())
}

/// The crates that are linked into `package`.
fn linked(package: &str) -> Result<BTreeSet<String>> {
    let tree = cargo(&["tree", "-p", package, "-e", "normal", "--prefix", "none"])?;
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

/// Those of them that belong to the laboratory.
fn of_the_laboratory(crates: &BTreeSet<String>) -> Vec<&String> {
    let is = |name: &&String| LABORATORY.iter().any(|begin| name.starts_with(begin));
    crates.iter().filter(is).collect()
}

#[test]
fn nothing_that_is_installed_contains_crates_of_the_laboratory() -> Result<()> {
    let installed = members()?;
    let installed = installed
        .keys()
        .filter(|name| !NOT_INSTALLED.contains(&name.as_str()));
    let mut checked = 0;
    for package in installed {
        let crates = linked(package)?;
        let found = of_the_laboratory(&crates);
        ensure!(found.is_empty(), "{package} contains {found:?}");
        checked += 1;
    }
    assert!(checked >= 6, "{checked}");
    // It would be seen.
    let lab = linked("bellwether-lab")?;
    assert!(of_the_laboratory(&lab).len() >= LABORATORY.len(), "{lab:?}");
    Ok(())
}

#[test]
fn no_crate_depends_on_a_program() -> Result<()> {
    for (package, dependencies) in members()? {
        for program in ["bellwether-cli", "bellwether-lab"] {
            let depends = dependencies.iter().any(|name| name == program);
            assert!(!depends, "{package} depends on {program}");
        }
    }
    Ok(())
}

/// The Rust files in a folder and below.
fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

#[test]
fn the_command_for_operators_stays_small() -> Result<()> {
    let mut files = Vec::new();
    rust_files(&root().join("cli"), &mut files)?;
    let mut lines = 0;
    for file in files {
        lines += fs::read_to_string(file)?.lines().count();
    }
    assert!(lines < CLI_LINES_MAX, "{lines}");
    Ok(())
}

/// The modules of a crate, by their paths in it, and what the text of each is without comments and tests.
type Modules = BTreeMap<Vec<String>, String>;

/// Reads a module and those below it.
fn read_modules(file: &Path, path: &[String], modules: &mut Modules) -> Result<()> {
    let text = fs::read_to_string(file)?;
    let comments = Regex::new(r"//[^\n]*")?;
    let mut text = comments.replace_all(&text, "").into_owned();
    if let Some(tests) = Regex::new(r"#\[cfg\(test\)\]\s*mod \w+ \{")?.find(&text) {
        text.truncate(tests.start());
    }
    let name = file.file_stem().unwrap_or_default();
    let folder = file.parent().context("a file in a folder")?;
    let folder = match name.to_str() {
        Some("mod" | "lib" | "main") => folder.to_owned(),
        _ => folder.join(name),
    };
    let declarations = Regex::new(r"(?m)^\s*(?:pub(?:\([a-z]+\))? )?mod (\w+);")?;
    for declaration in declarations.captures_iter(&text) {
        let name = &declaration[1];
        let files = [format!("{name}.rs"), format!("{name}/mod.rs")];
        let file = files.iter().map(|file| folder.join(file));
        if let Some(file) = file.into_iter().find(|file| file.exists()) {
            let path = [path, &[name.to_owned()]].concat();
            read_modules(&file, &path, modules)?;
        }
    }
    modules.insert(path.to_vec(), text);
    Ok(())
}

/// The paths that a `use` imports: `a::{b, c::{d, e}}` are `a::b`, `a::c::d` and `a::c::e`.
fn expanded(import: &str) -> Vec<String> {
    let import = import.trim();
    let Some((begin, inner)) = import.split_once('{') else {
        return vec![import.to_owned()];
    };
    let inner = inner.trim_end().strip_suffix('}').unwrap_or(inner);
    let (mut depth, mut paths, mut item) = (0, Vec::new(), String::new());
    for character in inner.chars().chain([',']) {
        match character {
            ',' if depth == 0 => {
                let item = std::mem::take(&mut item);
                if !item.trim().is_empty() {
                    paths.extend(expanded(&format!("{begin}{}", item.trim())));
                }
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        item.push(character);
    }
    paths
}

/// The module that a path in the module `from` leads to, if it is one of the crate's.
fn target<'m>(modules: &'m Modules, from: &[String], import: &str) -> Option<&'m Vec<String>> {
    let mut names = import.split("::").map(str::trim).peekable();
    let mut at = match *names.peek()? {
        "crate" => {
            names.next();
            Vec::new()
        }
        "super" | "self" => {
            let mut at = from.to_vec();
            while let Some(name) = names.next_if(|name| ["super", "self"].contains(name)) {
                if name == "super" {
                    at.pop();
                }
            }
            at
        }
        name => {
            let child = [from, &[name.to_owned()]].concat();
            modules.get(&child)?;
            from.to_vec()
        }
    };
    for name in names {
        at.push(name.to_owned());
        if !modules.contains_key(&at) {
            at.pop();
            break;
        }
    }
    modules.get_key_value(&at).map(|(path, _)| path)
}

/// The modules that each module imports, by their paths.
type Imports<'m> = BTreeMap<&'m Vec<String>, BTreeSet<&'m Vec<String>>>;

/// What the modules import.
fn imports(modules: &Modules) -> Result<Imports<'_>> {
    let uses = Regex::new(r"\buse ([^;]+);")?;
    let paths = Regex::new(r"\b(?:crate|super|self)(?:::\w+)+")?;
    let mut imports = BTreeMap::new();
    for (module, text) in modules {
        let of_uses = uses.captures_iter(text).flat_map(|c| expanded(&c[1]));
        let rest = uses.replace_all(text, "");
        let in_code = paths
            .find_iter(&rest)
            .map(|found| found.as_str().to_owned());
        let targets = of_uses.chain(in_code);
        let targets = targets.filter_map(|path| target(modules, module, &path));
        imports.insert(module, targets.filter(|path| *path != module).collect());
    }
    Ok(imports)
}

/// The modules that `from` imports, itself or through others.
fn reached<'m>(imports: &Imports<'m>, from: &Vec<String>) -> BTreeSet<&'m Vec<String>> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in &imports[module] {
            if reached.insert(*next) {
                open.push(next);
            }
        }
    }
    reached
}

/// The modules that import each other, directly or through others: each circle once.
fn circles(modules: &Modules) -> Result<BTreeSet<Vec<String>>> {
    let imports = imports(modules)?;
    let circle = |module: &Vec<String>| {
        let others = reached(&imports, module);
        let back = others
            .into_iter()
            .filter(|other| reached(&imports, other).contains(module));
        back.map(|path| path.join("::")).collect::<Vec<String>>()
    };
    let circles = modules.keys().map(circle);
    Ok(circles.filter(|circle| circle.len() > 1).collect())
}

#[test]
fn no_import_circle_is_larger_than_four_files() -> Result<()> {
    for folder in BOUNDED {
        let source = root().join(folder).join("src");
        let main = ["lib.rs", "main.rs"].map(|name| source.join(name));
        let main = main.iter().find(|file| file.exists());
        let mut modules = Modules::new();
        read_modules(main.context("a crate")?, &[], &mut modules)?;
        assert!(modules.len() > 3, "{folder}: {}", modules.len());
        for circle in circles(&modules)? {
            assert!(circle.len() <= CIRCLE_MAX, "{folder}: {circle:?}");
        }
    }
    Ok(())
}

#[test]
fn a_circle_is_seen_through_uses_and_paths_and_nothing_else_is_one() -> Result<()> {
    let text = |path: &str, text: &str| {
        let path = path.split("::").filter(|name| !name.is_empty());
        (path.map(str::to_owned).collect(), text.to_owned())
    };
    let modules = Modules::from([
        text("", "mod a; mod b; use a::one;"),
        text(
            "a",
            "use crate::b::{self, inner::{Two, Three}}; use std::fmt;",
        ),
        text("b", "pub mod inner;"),
        text("b::inner", "fn four() { crate::a::one() } use super::five;"),
    ]);
    let circle = ["a", "b::inner"].map(str::to_owned).to_vec();
    assert_eq!(circles(&modules)?, BTreeSet::from([circle]));
    Ok(())
}

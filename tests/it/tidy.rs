//! The house rules that a machine can keep. Each test is one rule and names
//! file and line of what breaks it. Lints in `Cargo.toml` keep the others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// A file that is longer is two files.
const FILE_LINES: usize = 500;
/// A function that is longer does not fit a screen.
const FUNCTION_LINES: usize = 70;
/// Folders and file below `src`.
const DEPTH: usize = 2;
/// What may stand beside `src`; anything else needs a better place.
const TOP: &[&str] = &[
    ".cargo",
    ".ci",
    ".gitattributes",
    ".github",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "deploy",
    "rustfmt.toml",
    "src",
    "subscribers",
    "templates",
    "tests",
];
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &[
    "common", "helper", "helpers", "lib_ext", "manager", "misc", "mod", "prelude", "service",
    "services", "types", "util", "utils",
];
/// Modules that are doors: they may name axum, clap and maud. The rest is the domain.
const DOORS: &[&str] = &["cli", "daemon", "demo", "doctor", "main", "metrics", "web"];
/// Modules that read the clock; everywhere else time is an argument.
const CLOCKS: &[&str] = &["cli", "daemon", "demo", "doctor", "main", "web"];

struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// `src/web/archive.rs` → `web`.
    fn module(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        below.split(['/', '.']).next()
    }

    fn is_test(&self) -> bool {
        self.path.starts_with("tests/") || self.path.contains("/tests")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file of the repository.
fn sources() -> Vec<Source> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules") {
                    walk(&path, found);
                }
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(root(), &mut found);
    found.sort();
    let relative = |path: &Path| path.strip_prefix(root()).unwrap().display().to_string();
    found
        .iter()
        .filter_map(|path| {
            Some(Source { path: relative(path), text: std::fs::read_to_string(path).ok()? })
        })
        .collect()
}

fn rust() -> Vec<Source> {
    let found: Vec<_> = sources().into_iter().filter(Source::is_rust).collect();
    assert!(found.len() > 20, "the walk found only {} Rust files", found.len());
    found
}

/// All `Cargo.toml`, where benches and other targets of their own are named.
fn manifests() -> String {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    ["Cargo.toml", "templates/Cargo.toml", "subscribers/Cargo.toml"].map(read).concat()
}

/// Fails with all places at once.
fn none(rule: &str, broken: &[String]) {
    let mut list = String::new();
    broken.iter().for_each(|place| writeln!(list, "  {place}").unwrap());
    assert!(broken.is_empty(), "{rule}:\n{list}");
}

/// Places where a line of Rust code, comments left out, fits.
fn places(files: &[Source], fits: impl Fn(&Source, &str) -> bool) -> Vec<String> {
    let code = |line: &str| !line.trim_start().starts_with("//");
    files
        .iter()
        .flat_map(|f| f.lines().map(move |(n, line)| (f, n, line)))
        .filter(|(f, _, line)| code(line) && fits(f, line))
        .map(|(f, n, line)| format!("{}:{n}: {}", f.path, line.trim()))
        .collect()
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> = rust()
        .iter()
        .filter(|f| !f.text.starts_with("//! "))
        .map(|f| format!("{}:1", f.path))
        .collect();
    none("a file starts with `//!`", &silent);
}

#[test]
fn files_are_short() {
    let long: Vec<_> = rust()
        .iter()
        .filter(|f| f.text.lines().count() > FILE_LINES)
        .map(|f| format!("{}: {} lines", f.path, f.text.lines().count()))
        .collect();
    none("a file has at most 500 lines", &long);
}

#[test]
fn functions_fit_a_screen() {
    let mut long = Vec::new();
    for file in rust() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (start, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start().trim_start_matches("pub ");
            let head = head.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let head = head.trim_start_matches("const ").trim_start_matches("async ");
            if !head.starts_with("fn ") {
                continue;
            }
            // rustfmt puts the closing brace under the first letter.
            let close = format!("{}}}", " ".repeat(indent));
            let length = lines[start..].iter().position(|l| *l == close).map_or(1, |n| n + 1);
            // A sample is one literal, not logic.
            let sample = file.path.starts_with("templates/src/samples/");
            if length > FUNCTION_LINES && !sample {
                long.push(format!("{}:{}: {length} lines", file.path, start + 1));
            }
        }
    }
    none("a function has at most 70 lines", &long);
}

#[test]
fn names_say_something() {
    let empty: Vec<_> = sources()
        .iter()
        .filter(|f| f.is_rust() || f.path.ends_with(".sql"))
        // Service mails (confirm, goodbye …) are what they are called.
        .filter(|f| !f.path.starts_with("templates/"))
        .filter(|f| {
            f.path.trim_end_matches(".rs").split('/').any(|part| EMPTY_NAMES.contains(&part))
        })
        .map(|f| f.path.clone())
        .collect();
    none("no file or folder is called utils, helpers, common, types, mod …", &empty);
}

#[test]
fn the_house_is_two_floors_deep() {
    let deep: Vec<_> = rust()
        .iter()
        .filter_map(|f| f.path.split_once("src/").map(|(_, below)| (f, below)))
        .filter(|(_, below)| below.split('/').count() > DEPTH)
        .map(|(f, _)| f.path.clone())
        .collect();
    none("at most one folder and a file below src", &deep);
}

#[test]
fn every_file_is_compiled() {
    let files = rust();
    let declares = |parent: &str, name: &str| {
        let plain = format!("mod {name};");
        files.iter().any(|f| f.path == parent && f.text.lines().any(|l| l.trim().ends_with(&plain)))
    };
    let mut forgotten = Vec::new();
    for file in &files {
        let Some((folder, name)) = file.path.rsplit_once('/') else { continue };
        let name = name.trim_end_matches(".rs");
        let own_target = file.path.contains("benches/")
            || file.path.starts_with("tests/bench/")
            || manifests().contains(&format!("path = \"{}\"", file.path));
        if matches!(name, "lib" | "main" | "build") || own_target {
            continue;
        }
        let parents =
            [format!("{folder}.rs"), format!("{folder}/lib.rs"), format!("{folder}/main.rs")];
        if !parents.iter().any(|parent| declares(parent, name)) {
            forgotten.push(file.path.clone());
        }
    }
    none("a file that no `mod` names is not compiled, and its tests do not run", &forgotten);
}

#[test]
fn nothing_unexpected_stands_beside_src() {
    let ignored = std::fs::read_to_string(root().join(".gitignore")).unwrap();
    let strange: Vec<_> = std::fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != ".git" && !TOP.contains(&name.as_str()))
        .filter(|name| !ignored.lines().any(|line| line.trim_matches('/') == name))
        .collect();
    none("top-level entries are listed in tests/it/tidy.rs", &strange);
}

#[test]
fn markup_enters_unescaped_in_one_file_of_a_crate() {
    let files = rust();
    let mut users: Vec<&str> = files
        .iter()
        .filter(|f| !f.is_test())
        .filter(|f| {
            f.lines().any(|(_, line)| !line.trim().starts_with("//") && line.contains("PreEscaped"))
        })
        .map(|f| f.path.as_str())
        .collect();
    users.sort_unstable();
    for crate_folder in ["src/", "templates/src/", "subscribers/src/"] {
        let count = users.iter().filter(|path| path.starts_with(crate_folder)).count();
        assert!(count <= 1, "PreEscaped appears in one file of a crate, not in {users:?}");
    }
}

#[test]
fn the_domain_names_no_axum_clap_or_maud() {
    let doors = |f: &Source| f.module().is_none_or(|module| DOORS.contains(&module));
    let wrong = places(&rust(), |f, line| {
        !doors(f) && ["axum::", "clap::", "maud::"].iter().any(|name| line.contains(name))
    });
    none("the domain knows nothing of the web, the command line or markup", &wrong);
}

#[test]
fn the_pure_crates_know_no_database_network_or_clock() {
    let wrong = places(&rust(), |f, line| {
        let pure = f.path.starts_with("templates/src/") || f.path.starts_with("subscribers/src/");
        let outside =
            ["sqlx::", "tokio::", "reqwest::", "std::net::Tcp", "std::fs::", "SystemTime::now"];
        pure && outside.iter().any(|name| line.contains(name))
    });
    none("templates and subscribers take data and return data", &wrong);
}

#[test]
fn time_is_an_argument() {
    let wrong = places(&rust(), |f, line| {
        let clock = f.module().is_none_or(|module| CLOCKS.contains(&module)) || f.is_test();
        !clock && line.contains("clippy::disallowed_methods")
    });
    none("only the doors read the clock", &wrong);
}

#[test]
fn names_are_qualified() {
    let wrong = places(&rust(), |f, line| {
        let line = line.trim();
        let allowed = ["use super::*;", "use proptest::prelude::*;"].contains(&line);
        let glob = line.starts_with("use ") && line.ends_with("::*;") && !allowed;
        let again = line.starts_with("pub use ") && !f.is_test();
        glob || again
    });
    none("no globs (but a test's `use super::*` and proptest's prelude), no re-exports", &wrong);
}

#[test]
fn nothing_half_done_lands() {
    // Spelled in halves, so that this file keeps its own rule.
    let words = [concat!("to", "do"), concat!("fix", "me"), concat!("#[ign", "ore")];
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|f| f.is_rust() || f.path.ends_with(".sql")) {
        for (n, line) in file.lines() {
            let mut parts = line.split(|c: char| !c.is_ascii_alphanumeric() && !"#[_".contains(c));
            if parts.any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word))) {
                wrong.push(format!("{}:{n}: {}", file.path, line.trim()));
            }
        }
    }
    none("nothing half-done, nothing ignored", &wrong);
}

#[test]
fn every_dependency_says_why() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut wrong = Vec::new();
    let mut section = "";
    for (n, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            let own = line.starts_with("rundbrief");
            let needs_reason =
                section == "[workspace.dependencies]" || section.starts_with("[workspace.lints");
            let reason = line.rsplit_once(" # ").is_some_and(|(_, why)| why.len() > 5);
            if needs_reason && !own && !reason {
                wrong.push(format!("Cargo.toml:{}: {line}", n + 1));
            }
        }
    }
    for member in ["Cargo.toml", "templates/Cargo.toml", "subscribers/Cargo.toml"] {
        let text = std::fs::read_to_string(root().join(member)).unwrap();
        let mut section = "";
        for (n, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                section = line;
            } else if matches!(section, "[dependencies]" | "[dev-dependencies]")
                && !line.trim().is_empty()
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                wrong.push(format!("{member}:{}: {line}", n + 1));
            }
        }
    }
    none("a dependency is named once, in the workspace, with its line of why", &wrong);
}

#[test]
fn german_is_written_with_umlauts() {
    let transcribed = [
        "fuer",
        "ueber",
        "koennen",
        "moechten",
        "waehlen",
        "aendern",
        "oeffnen",
        "bestaetigen",
        "zurueck",
        "naechste",
        "fruehere",
        "geloescht",
        "muessen",
        "wuenschen",
        "gruesse",
    ];
    let mut wrong = Vec::new();
    for file in sources() {
        if file.path == "tests/it/tidy.rs" || file.path.starts_with("tests/bounces/") {
            continue;
        }
        for (n, line) in file.lines() {
            // A hyphen, slash or underscore beside it: a slug or a file name.
            let words = line.split(|c: char| !c.is_alphanumeric() && !"-_/.%".contains(c));
            if words.into_iter().any(|w| transcribed.iter().any(|t| w.eq_ignore_ascii_case(t))) {
                wrong.push(format!("{}:{n}: {}", file.path, line.trim()));
            }
        }
    }
    none("German has umlauts", &wrong);
}

#[test]
fn addresses_are_nobodys() {
    let mut wrong = Vec::new();
    for file in sources() {
        if file.path == "Cargo.lock" || file.path.starts_with("LICENSE") {
            continue;
        }
        for (n, line) in file.lines() {
            for (at, _) in line.match_indices('@') {
                let before = line[..at].chars().next_back();
                let inside = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
                let domain: String = line[at + 1..].chars().take_while(|c| inside(*c)).collect();
                let domain = domain.trim_end_matches('.').to_lowercase();
                let local = before.is_some_and(|c| c.is_ascii_alphanumeric());
                if local && reachable(&domain) {
                    wrong.push(format!("{}:{n}: @{domain}", file.path));
                }
            }
        }
    }
    none(
        "addresses in code and fixtures are at example.org, example.de, .example, .test …",
        &wrong,
    );
}

/// Whether somebody could own this domain.
fn reachable(domain: &str) -> bool {
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    let nobodys = domain.split('.').any(|label| label.trim_matches('-') == "example");
    !nobodys && matches!(top, "com" | "org" | "net" | "de" | "at" | "ch" | "eu" | "io" | "uk")
}

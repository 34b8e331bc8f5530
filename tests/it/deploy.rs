//! What lies under `deploy/` is true: the example names every field there is.

use std::path::Path;

use rundbrief::config::layer;

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/rundbrief.toml");
    std::fs::read_to_string(path).unwrap()
}

/// The example with every field that is commented out put in: `#name = …`, `#[table]`.
fn everything() -> String {
    let field = |line: &str| {
        let name = line.split(" = ").next().unwrap_or_default();
        let letters = |c: char| c.is_ascii_lowercase() || c == '_';
        (line.contains(" = ") && name.chars().all(letters)) || line.starts_with('[')
    };
    let put_in = |line: &str| match line.strip_prefix('#') {
        Some(rest) if field(rest) => rest.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    example().lines().map(put_in).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_stands_as_it_is_and_with_every_field_put_in() {
    layer::parse(&example(), "deploy/rundbrief.toml", []).unwrap();
    let all = layer::parse(&everything(), "everything", []).unwrap();
    assert_eq!(all.mail.dkim.len(), 1, "the commented tables are put in too");
    assert!(all.transport["relay"].login.is_some());
}

/// The parser itself lists what a table may hold, when it meets a field it does not know.
fn allowed(table: &str) -> Vec<String> {
    let stray = "stray_field = 1\n";
    let text = everything();
    let text = match text.find(&format!("{table}\n")) {
        _ if table.is_empty() => format!("{stray}{text}"),
        Some(at) => {
            let (before, after) = text.split_at(at + table.len() + 1);
            format!("{before}{stray}{after}")
        }
        None => panic!("the example has no {table}"),
    };
    let fault = layer::parse(&text, "everything", []).unwrap_err().to_string();
    let (_, expected) = fault.split_once("expected").unwrap_or_else(|| panic!("{fault}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_example_documents_every_field() {
    let text = everything();
    let top = allowed("");
    assert!(top.len() > 5, "{top:?}");
    let header = |name: &str| text.contains(&format!("\n[{name}"));
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    for name in &top {
        let field = text.lines().any(|line| line.starts_with(&format!("{name} = ")));
        assert!(field || header(name), "{name} is missing in deploy/rundbrief.toml");
    }
    for table in tables {
        let (_, below) = text.split_once(&format!("{table}\n")).unwrap();
        let below: Vec<&str> = below.lines().take_while(|line| !line.starts_with('[')).collect();
        for name in allowed(table) {
            let field = below.iter().position(|line| line.starts_with(&format!("{name} = ")));
            let nested = header(&format!("[{}.{name}", table.trim_matches(['[', ']'])))
                || header(&format!("{}.{name}", table.trim_matches(['[', ']'])));
            let Some(at) = field else {
                assert!(nested, "{table} {name} is missing in deploy/rundbrief.toml");
                continue;
            };
            let documented = below[..at].iter().rev().take_while(|line| !line.is_empty());
            let documented = documented.into_iter().any(|line| line.starts_with("# "));
            assert!(documented, "{table} {name} has no sentence above it");
        }
    }
}

#[test]
fn the_unit_waits_longer_than_a_drain_and_never_retries_a_wrong_configuration() {
    for (file, directory) in
        [("rundbrief.service", "rundbrief"), ("rundbrief-worker@.service", "rundbrief-worker-%i")]
    {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
        let unit = std::fs::read_to_string(path).unwrap();
        let has = |line: &str| unit.lines().any(|l| l == line);
        assert!(has("Type=notify") && has("User=rundbrief"), "{file}");
        assert!(has(&format!("StateDirectory={directory}")), "{file}");
        // Mails after the dot get 60 s (src/daemon.rs); systemd must not kill before.
        assert!(has("TimeoutStopSec=90s"), "{file}");
        assert!(has("RestartPreventExitStatus=64 77 78"), "{file}");
    }
}

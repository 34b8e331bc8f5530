//! The doctor finds what is wrong, and says what to do.

use std::path::Path;
use std::process::{Command, Output};

fn rundbrief(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rundbrief"))
        .args(arguments)
        .current_dir(directory)
        .env_remove("RUNDBRIEF_CONFIG")
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_relay_that_is_not_there_is_broken_and_the_rest_is_fine() {
    let directory = tempfile::tempdir().unwrap();
    assert!(rundbrief(directory.path(), &["init"]).status.success());
    // Port 9 of loopback: nobody listens there.
    let file = directory.path().join("rundbrief.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("port = 25", "port = 9");
    std::fs::write(&file, text).unwrap();
    let output = rundbrief(directory.path(), &["doctor"]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(69), "{text}");
    for fine in ["fine   directory", "fine   key", "fine   database", "fine   clock"] {
        assert!(text.contains(fine), "{fine}: {text}");
    }
    let relay = text.lines().find(|l| l.starts_with("BROKEN relay")).unwrap();
    assert!(relay.contains("127.0.0.1:9") && relay.contains("Is the relay running"), "{relay}");
    assert!(text.contains("LOOK   dkim"), "{text}");
    let json = said(&rundbrief(directory.path(), &["doctor", "--json"]));
    for line in json.lines() {
        let finding: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(finding["what"].is_string() && finding["health"].is_string(), "{line}");
    }
}

#[test]
fn a_key_that_others_may_read_is_broken() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    assert!(rundbrief(directory.path(), &["init"]).status.success());
    let key = directory.path().join("data/master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let text = said(&rundbrief(directory.path(), &["doctor"]));
    assert!(text.contains("BROKEN key") && text.contains("chmod 600"), "{text}");
}

#[test]
fn a_signing_key_is_shown_as_a_zone_file_takes_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    assert!(rundbrief(directory.path(), &["init"]).status.success());
    let pem = crate::dkim::rsa_pem(aws_lc_rs::rsa::KeySize::Rsa2048);
    let key = directory.path().join("dkim.pem");
    std::fs::write(&key, pem).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = directory.path().join("rundbrief.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("\n[[mail.dkim]]\ndomain = \"example.de\"\nselector = \"2026a\"\nkey = { file = \"dkim.pem\" }\n");
    std::fs::write(&file, text).unwrap();
    let text = said(&rundbrief(directory.path(), &["doctor"]));
    let (_, record) = text.split_once("2026a._domainkey.example.de. IN TXT ").expect(&text);
    let record = record.lines().next().unwrap().trim();
    assert!(record.starts_with("\"v=DKIM1; k=rsa; p=") && record.ends_with('"'), "{record}");
    assert_eq!(record.split("\" \"").count(), 2, "{record}");
    assert!(record.split('"').all(|string| string.len() <= 255), "{record}");
}

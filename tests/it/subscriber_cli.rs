//! `rundbrief subscriber` as a script calls it, on both databases.

use std::process::{Command, Stdio};

use jiff::Timestamp;
use rundbrief::newsletter;
use serde_json::{Value, json};

use crate::app::{App, on_both};

on_both![
    a_list_comes_in_and_goes_out,
    every_bad_line_is_reported_and_the_rest_comes_in,
    a_dry_run_stores_nothing,
    what_is_no_list_is_refused_with_a_code,
    somebody_is_added_shown_removed_and_erased,
    who_left_is_not_added_again,
];

/// What a command left behind.
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn objects(&self) -> Vec<Value> {
        assert_eq!(self.code, 0, "{}", self.err);
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn last(&self) -> Value {
        self.objects().pop().unwrap()
    }
}

fn rundbrief(app: &App, arguments: &[&str]) -> Ended {
    let ended = Command::new(env!("CARGO_BIN_EXE_rundbrief"))
        .current_dir(app.directory())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: ended.status.code().unwrap(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

async fn ready(app: &App) {
    let init = ["init", "--directory", ".", "--database", &app.database];
    let ended = rundbrief(app, &init);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let example = include_str!("../../deploy/newsletter.toml");
    let definition = newsletter::parse(example, "newsletter.toml".as_ref()).unwrap();
    let mut tx = app.store.begin().await.unwrap();
    newsletter::apply(&mut tx, &definition, Timestamp::UNIX_EPOCH).await.unwrap();
    tx.commit().await.unwrap();
}

fn write(app: &App, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(app.directory().join(name), text).unwrap();
}

const INTO: [&str; 2] = ["--newsletter", "musterhafen"];

fn import(app: &App, more: &[&str]) -> Ended {
    rundbrief(app, &[&["subscriber", "import"], more, &INTO].concat())
}

async fn a_list_comes_in_and_goes_out(app: App) {
    ready(&app).await;
    write(
        &app,
        "list.csv",
        "E-Mail;Vorname;Nachname\nanna@example.org;=1+2;M\u{fc}ller\nbert@example.org;Bert;\n",
    );
    let summary = import(&app, &["list.csv", "--json", "--consent", "folder 7"]).last();
    assert_eq!(summary["added"], 2);
    assert_eq!(summary["encoding"], "UTF-8");
    assert_eq!(summary["columns"], json!(["email", "given_name", "family_name"]));

    let plain = rundbrief(&app, &["subscriber", "export", "--newsletter", "musterhafen"]);
    let lines: Vec<&str> = plain.out.lines().collect();
    assert_eq!(lines[0], "email,salutation,given_name,family_name,language,standing,since");
    assert!(lines[1].starts_with("anna@example.org,,'=1+2,Müller,,active,20"), "{}", lines[1]);
    assert_eq!(lines.len(), 3);
    let excel = ["subscriber", "export", "--spreadsheet", "--out", "out.csv"];
    assert_eq!(rundbrief(&app, &excel).code, 0);
    let again = import(&app, &["out.csv", "--json"]).last();
    assert_eq!((&again["known"], &again["rejected"]), (&json!(2), &json!(0)));
    let objects = rundbrief(&app, &["subscriber", "export", "--json"]).objects();
    assert_eq!(objects[0]["given_name"], "=1+2");
    assert_eq!(objects[1]["standing"], "active");
    let none = rundbrief(&app, &["subscriber", "export", "--json", "--standing", "left"]);
    assert!(none.objects().is_empty());
    assert_eq!(rundbrief(&app, &["subscriber", "export", "--standing", "gone"]).code, 64);
}

async fn every_bad_line_is_reported_and_the_rest_comes_in(app: App) {
    ready(&app).await;
    write(
        &app,
        "list.csv",
        b"E-Mail;Vorname;Anrede\nanna@example.org;J\xF6rg;\nbert(at)example.org;Bert;\n\
          carla@example.org;;Firma\nANNA@example.org;;\n",
    );
    let objects = import(&app, &["list.csv", "--json"]).objects();
    assert_eq!(
        objects[0],
        json!({"line": 3, "column": 1, "heading": "E-Mail", "outcome": "rejected",
               "reason": "the address has no @"})
    );
    assert_eq!(objects[1]["outcome"], "noted");
    assert_eq!(
        objects[2],
        json!({"line": 5, "outcome": "duplicate", "reason": "stands on line 2 already"})
    );
    let summary = &objects[3];
    for (field, value) in
        [("rows", 4), ("added", 2), ("rejected", 1), ("noted", 1), ("duplicates", 1)]
    {
        assert_eq!(summary[field], value, "{field}");
    }
    assert_eq!(summary["encoding"], "Windows-1252");

    let words = import(&app, &["list.csv"]);
    assert!(words.err.contains("line 3, column 1 (E-Mail): the address has no @"), "{}", words.err);
    assert!(words.out.starts_with("list.csv: 4 rows, 0 added\n"), "{}", words.out);
    assert!(!words.err.contains("bert"), "a report shows no address");
}

async fn a_dry_run_stores_nothing(app: App) {
    ready(&app).await;
    write(&app, "list.csv", "anna@example.org\nanna@example.org\n");
    for _twice in 0..2 {
        let summary = import(&app, &["list.csv", "--json", "--dry-run"]).last();
        assert_eq!((&summary["added"], &summary["duplicates"]), (&json!(1), &json!(1)));
    }
    assert!(rundbrief(&app, &["subscriber", "export", "--json"]).objects().is_empty());
}

async fn what_is_no_list_is_refused_with_a_code(app: App) {
    ready(&app).await;
    write(&app, "names.csv", "Name;Ort\nAnna;Musterhafen\n");
    let refused = import(&app, &["names.csv"]);
    assert_eq!(refused.code, 65);
    assert!(refused.err.contains("names.csv: has no column with e-mail addresses"));
    assert!(refused.err.contains("--columns email"), "{}", refused.err);
    assert_eq!(import(&app, &["missing.csv"]).code, 66);
    assert_eq!(import(&app, &["."]).code, 66);
    assert_eq!(import(&app, &["names.csv", "--columns", "email,hobby"]).code, 64);
    let elsewhere = ["subscriber", "import", "names.csv", "--newsletter", "nix"];
    assert_eq!(rundbrief(&app, &elsewhere).code, 65);
    let said = import(&app, &["names.csv", "--columns", "name,email"]);
    assert_eq!(said.code, 65, "no row could be used");
}

async fn somebody_is_added_shown_removed_and_erased(app: App) {
    ready(&app).await;
    let add = [
        "subscriber",
        "add",
        "anna@münchen.example",
        "--given-name",
        "Anna",
        "--salutation",
        "Frau",
        "--consent",
        "form 12",
        "--json",
    ];
    let added = rundbrief(&app, &[&add[..], &INTO].concat()).last();
    assert_eq!((&added["added"], &added["standing"]), (&json!(true), &json!("active")));
    let again = rundbrief(&app, &[&add[..], &INTO].concat()).last();
    assert_eq!(again["added"], false);

    let show = ["subscriber", "show", "ANNA@münchen.example", "--json"];
    let shown = rundbrief(&app, &show).last();
    assert_eq!(shown["address"], "anna@xn--mnchen-3ya.example");
    assert_eq!(shown["salutation"], "ms");
    assert_eq!(shown["subscriptions"][0]["newsletter"], "musterhafen");
    assert_eq!(shown["consents"][0]["wording"], "form 12");

    let remove = ["subscriber", "remove", "anna@münchen.example", "--json"];
    assert_eq!(rundbrief(&app, &remove).last()["removed"], json!(["musterhafen"]));
    assert_eq!(rundbrief(&app, &remove).last()["removed"], json!([]));
    let shown = rundbrief(&app, &show).last();
    assert_eq!(shown["subscriptions"][0]["standing"], "left");
    assert_eq!(shown["events"][0]["reason"], "editor");
    assert_eq!(shown["consents"][1]["act"], "withdrawn");

    let erased = rundbrief(&app, &["subscriber", "erase", "anna@münchen.example", "--json"]);
    assert_eq!(erased.last()["proofs"], 2);
    assert_eq!(rundbrief(&app, &show).last()["suppressed"], "erased");
    let back = rundbrief(&app, &[&add[..], &INTO].concat());
    assert_eq!(back.code, 65);
    assert!(back.err.contains("suppressed (erased)"), "{}", back.err);
    let nobody = rundbrief(&app, &["subscriber", "show", "bert@example.org"]);
    assert_eq!(nobody.code, 65);
}

async fn who_left_is_not_added_again(app: App) {
    ready(&app).await;
    write(&app, "list.csv", "email,status\nanna@example.org,left\n");
    assert_eq!(import(&app, &["list.csv"]).code, 0);
    let add = ["subscriber", "add", "anna@example.org"];
    let refused = rundbrief(&app, &[&add[..], &INTO].concat());
    assert_eq!(refused.code, 65);
    assert!(refused.err.contains("on the list as left"), "{}", refused.err);
}

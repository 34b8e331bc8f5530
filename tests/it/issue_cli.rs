//! `rundbrief newsletter` and `rundbrief issue` as a script calls them, on both databases.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use aws_lc_rs::rsa::KeySize;
use mail_parser::MessageParser;
use rundbrief::letter::dkim::Key;
use serde_json::{Value, json};

use crate::app::{App, on_both};
use crate::dkim;
use crate::relay::{Offer, Relay};

on_both![
    an_article_becomes_a_mail_that_can_be_looked_at,
    a_wrong_definition_is_answered_with_its_line,
    an_issue_is_queued_taken_back_and_cancelled,
    what_blocks_is_not_queued,
    what_stands_between_articles_is_placed_shown_and_taken_out,
    what_was_mended_at_its_source_comes_into_the_draft,
    what_was_proposed_follows_the_articles,
    four_eyes_are_two_people,
    a_test_copy_is_signed_and_goes_to_one_address,
    the_mails_of_the_service_can_be_looked_at,
    what_is_not_there_is_said,
];

pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn object(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(self.out.lines().last().unwrap()).unwrap()
    }
}

/// Runs a command as this user.
fn run_as(user: &str, app: &App, line: &str) -> Ended {
    run_words(user, app, &line.split(' ').collect::<Vec<_>>())
}

fn run_words(user: &str, app: &App, words: &[&str]) -> Ended {
    let ended = Command::new(env!("CARGO_BIN_EXE_rundbrief"))
        .current_dir(app.directory())
        .env("SUDO_USER", user)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ended {
        code: ended.status.code().unwrap(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

pub fn run(app: &App, line: &str) -> Ended {
    run_as("anna", app, line)
}

fn write(app: &App, name: &str, text: &str) {
    std::fs::write(app.directory().join(name), text).unwrap();
}

const ARTICLE: &str = "Sie sind hier: »Aktuelles / Rathaus

Neue Radwege in der Südstadt

Die Stadt baut bis zum Sommer vier Kilometer neue Radwege in der Südstadt. Die Arbeiten beginnen im März am Hafen und enden im Juli am Stadtpark.

Wer mitreden möchte, kommt am Donnerstag in das Rathaus. Die Pläne hängen dort bis zum Jahresende aus, und die Planerinnen beantworten Fragen.
";

/// An installation with a newsletter and a draft of one article.
fn ready(app: &App, policies: &str) {
    write(app, "newsletter.toml", &definition(policies));
    write(app, "radwege.txt", ARTICLE);
    let init = format!("init --directory . --database {}", app.database);
    for line in [
        &init,
        "newsletter apply newsletter.toml",
        "article add radwege.txt",
        "issue compose musterhafen",
    ] {
        let ended = run(app, line);
        assert_eq!(ended.code, 0, "{line}: {}", ended.err);
    }
}

fn definition(policies: &str) -> String {
    let text = include_str!("../../deploy/newsletter.toml");
    let (before, _) = text.split_once("[policies]").unwrap();
    format!("{before}[policies]\n{policies}\n")
}

async fn an_article_becomes_a_mail_that_can_be_looked_at(app: App) {
    ready(&app, "");
    let shown = run(&app, "issue show musterhafen/1 --json").object();
    assert_eq!(shown["subject"], "Neue Radwege in der Südstadt");
    assert_eq!(shown["state"], "draft");
    assert_eq!(shown["sections"][0]["articles"][0]["form"], "lead");
    let again = run(&app, "issue compose musterhafen --json").object();
    assert_eq!((&again["issue"], &again["why"]), (&Value::Null, &json!("nothing new")));

    let preview = run(&app, "issue preview 1 --out looks --json");
    assert!(preview.err.contains("phone    Stadt Musterhafen | Neue Radwege"), "{}", preview.err);
    let files: Vec<String> = serde_json::from_value(preview.object()["files"].clone()).unwrap();
    let article = "looks/article-neue-radwege-in-der-suedstadt.html";
    assert_eq!(files, ["looks/mail.txt", "looks/mail.html", "looks/mail.eml", article]);
    let read = |name: &str| std::fs::read_to_string(app.directory().join(name)).unwrap();
    let mail = read("looks/mail.eml");
    let parsed = MessageParser::default().parse(mail.as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("Neue Radwege in der Südstadt"));
    assert_eq!(parsed.body_html(0).unwrap(), read("looks/mail.html"));
    assert_eq!(parsed.part(1).unwrap().text_contents().unwrap(), read("looks/mail.txt"));
    assert!(read("looks/mail.txt").contains("Guten Tag Anna Beispiel,"));
    let page = read(article);
    assert!(page.contains("Wer mitreden möchte") && page.contains("<style>"));
    assert!(page.contains("href=\"http://127.0.0.1:8025/archive/musterhafen/1\""), "{page}");

    let report = run(&app, "issue report 1 --json");
    assert_eq!(
        report.out.trim(),
        r#"{"issue":1,"state":"draft","total":0,"queued":0,"claimed":0,"sending":0,"accepted":0,"deferred":0,"failed":0,"unknown":0,"cancelled":0,"bounced":0,"complained":0}"#
            .parse::<Value>()
            .unwrap()
            .to_string()
    );
    let forecast = run(&app, "issue forecast 1 --json").object();
    assert_eq!(forecast["gets"], 0);
    assert!(forecast["bytes_each"].as_u64().unwrap() > 5_000);
}

async fn a_wrong_definition_is_answered_with_its_line(app: App) {
    run(&app, &format!("init --directory . --database {}", app.database));
    let config = std::fs::read_to_string(app.directory().join("rundbrief.toml")).unwrap();
    assert!(config.contains("\nunsubscribe = \"abmelden@news.example.org\"\n"), "{config}");
    let text = definition("late = \"maybe\"");
    write(&app, "newsletter.toml", &text);
    let line = text.lines().count();
    let ended = run(&app, "newsletter apply newsletter.toml");
    assert_eq!(ended.code, 65, "{}", ended.err);
    let wanted = format!(
        "rundbrief: newsletter.toml:{line}: unknown variant `maybe`, expected one of `send`, `ask`, `skip`"
    );
    assert_eq!(ended.err.trim(), wanted);
    let latin = [b"slug = \"a\"\ntitle = \"M".as_slice(), &[0xfc], b"ller\"\n"].concat();
    std::fs::write(app.directory().join("latin.toml"), latin).unwrap();
    let ended = run(&app, "newsletter apply latin.toml");
    assert_eq!(ended.code, 65, "{}", ended.err);
    assert!(ended.err.contains("latin.toml:2: is not UTF-8"), "{}", ended.err);
    assert_eq!(run(&app, "newsletter apply none.toml").code, 66);
    assert_eq!(run(&app, "newsletter list").out, "");
}

async fn an_issue_is_queued_taken_back_and_cancelled(app: App) {
    ready(&app, "");
    let queued = run(&app, "issue queue 1 --at 2030-12-03T07:00 --json").object();
    assert_eq!(
        (&queued["state"], &queued["send_at"]),
        (&json!("queued"), &json!("2030-12-03T06:00:00.000Z"))
    );
    let twice = run(&app, "issue queue 1 --at 2030-12-03T07:00 --json").object();
    assert_eq!(twice["send_at"], queued["send_at"]);
    let edit = ["issue", "edit", "1", "--subject", "Zu spät"].join(" ");
    assert_eq!(run(&app, &edit).code, 64, "two words are two arguments");
    assert_eq!(run(&app, "issue edit 1 --subject Anders").code, 65, "it is no draft");
    assert_eq!(run(&app, "issue undo 1 --json").object()["state"], "draft");
    assert_eq!(run(&app, "issue edit 1 --subject Anders --json").object()["subject"], "Anders");
    let wrong = run(&app, "issue queue 1 --at Donnerstag");
    assert_eq!(wrong.code, 64);
    assert!(wrong.err.contains("write 2026-12-03T07:00"), "{}", wrong.err);
    for (step, state) in
        [("queue", "queued"), ("pause", "paused"), ("resume", "queued"), ("cancel", "cancelled")]
    {
        assert_eq!(run(&app, &format!("issue {step} 1 --json")).object()["state"], state);
    }
    let over = run(&app, "issue resume 1");
    assert_eq!(over.code, 65);
    assert_eq!(
        over.err.trim(),
        "rundbrief: issue 1 is cancelled; only one that is paused can be resumed"
    );
    let listed = run(&app, "issue list --newsletter musterhafen --json");
    assert_eq!(listed.object()["state"], "cancelled");
}

async fn what_blocks_is_not_queued(app: App) {
    ready(&app, "");
    assert_eq!(run(&app, "issue preflight 1 --no-links").code, 0);
    let without = definition("").replace("phone = \"+49 30 1234567\"", "phone = \"\"");
    write(&app, "newsletter.toml", &without);
    let applied = run(&app, "newsletter apply newsletter.toml --json");
    assert_eq!(applied.object()["outcome"], "changed");
    assert!(applied.err.contains("note: imprint.phone is empty"), "{}", applied.err);
    let preflight = run(&app, "issue preflight 1 --no-links --json");
    assert_eq!(preflight.code, 65);
    let finding: Value = serde_json::from_str(preflight.out.lines().next().unwrap()).unwrap();
    assert_eq!(
        (&finding["severity"], &finding["place"]),
        (&json!("blocks"), &json!("imprint.phone"))
    );
    let queue = run(&app, "issue queue 1");
    assert_eq!(queue.code, 65);
    assert!(queue.err.contains("imprint.phone: is empty"), "{}", queue.err);
    assert_eq!(run(&app, "issue show 1 --json").object()["state"], "draft");
}

async fn what_stands_between_articles_is_placed_shown_and_taken_out(app: App) {
    ready(&app, "approval = \"required\"");
    assert_eq!(run_as("bert", &app, "issue approve 1").code, 0);
    let place = |line: &[&str]| {
        let ended = run_words("anna", &app, &[&["issue", "place", "1"], line].concat());
        (ended.code, format!("{}{}", ended.out, ended.err))
    };
    let quote = "Endlich ohne Ampel zum Hafen.";
    let (code, shown) = place(&["quote", quote, "--by", "Jana Muster", "--after", "1"]);
    assert_eq!(code, 0, "{shown}");
    let plan = "https://www.example.de/plan";
    place(&["button", "Plan der Radwege ansehen", plan, "--after", "2"]);
    place(&["divider", "--after", "2"]);
    let (_, shown) = place(&["heading", "Verkehr", "--after", "0"]);
    let lines: Vec<&str> = shown.lines().skip_while(|line| !line.is_empty()).skip(1).collect();
    assert_eq!(
        lines,
        [
            "   1  heading       Verkehr",
            "   2  article 1     Neue Radwege in der Südstadt",
            "   3  quote         Endlich ohne Ampel zum Hafen. (Jana Muster)",
            "   4  divider       ",
            "   5  button        Plan der Radwege ansehen <https://www.example.de/plan>",
        ]
    );
    let object = run(&app, "issue show 1 --json").object();
    let section = &object["sections"][0];
    assert_eq!(
        (&section["place"], &section["articles"][0]["place"], &section["blocks"][1]),
        (&json!(1), &json!(2), &json!({ "place": 4, "divider": true }))
    );

    let why = run_as("anna", &app, "issue queue 1").err;
    assert!(why.contains("changed after it was approved"), "{why}");
    assert_eq!(run(&app, "issue preview 1 --out looks").code, 0);
    let read = |name: &str| std::fs::read_to_string(app.directory().join(name)).unwrap();
    let text = read("looks/mail.txt").replace("\r\n", "\n");
    let parts = format!("„{quote}“\n– Jana Muster\n\n* * *\n\nPlan der Radwege ansehen:\n{plan}\n");
    assert!(text.contains(&parts), "{text}");
    let html = read("looks/mail.html");
    assert!(html.contains(&format!("href=\"{plan}\"")) && html.contains("<blockquote"), "{html}");

    for (line, wrong) in [
        (&["quote", " ", "--after", "0"][..], "the quote is empty"),
        (&["quote", "Ja.\nNein.", "--after", "0"], "the quote has a line break"),
        (&["quote", "Ja.", "--language", "7", "--after", "0"], "--language \"7\" is no language"),
        (&["button", "Zum Plan", "javascript:alert(1)", "--after", "0"], "is no web address"),
        (&["button", "Zum Plan", "http://example.de/plan", "--after", "0"], "https:// is allowed"),
        (&["divider", "--after", "9"], "there is no place 9"),
        (&["heading", "Noch einer", "--after", "1"], "with nothing below it"),
    ] {
        let (code, said) = place(line);
        assert!(matches!(code, 64 | 65) && said.contains(wrong), "{line:?}: {said}");
    }
    place(&["button", "hier", "https://10.0.0.7/plan", "--after", "0"]);
    let found = run(&app, "issue preflight 1 --no-links").out;
    let blocks =
        "blocks  button \"hier\": links to https://10.0.0.7/plan, an address of a private network";
    let look = "look    button \"hier\": leads to https://10.0.0.7/plan and does not say so";
    assert!(found.contains(blocks) && found.contains(look), "{found}");

    let refused = run(&app, "issue edit 1 --remove 3");
    assert!(refused.err.contains("leave it out with --drop 1"), "{}", refused.err);
    let removed = run(&app, "issue edit 1 --remove 1 --remove 4 --remove 2");
    assert_eq!(removed.code, 0, "{}", removed.err);
    let shown = run(&app, "issue show 1").out;
    let kinds: Vec<&str> =
        shown.lines().skip(4).filter_map(|l| l.split_whitespace().nth(1)).collect();
    assert_eq!(kinds, ["article", "divider", "button"], "{shown}");
}

async fn what_was_mended_at_its_source_comes_into_the_draft(app: App) {
    ready(&app, "approval = \"required\"");
    assert_eq!(run(&app, "issue preflight 1 --no-links").code, 0);
    let mended = ARTICLE.replace("vier Kilometer", "fünf Kilometer");
    write(&app, "radwege.txt", &mended);
    let added = run(&app, "article add radwege.txt");
    assert!(added.out.contains("changed"), "{}{}", added.out, added.err);
    assert_eq!(run_as("bert", &app, "issue approve 1").code, 0);
    let found = run(&app, "issue preflight 1 --no-links").out;
    let newer = "Neue Radwege in der Südstadt: a newer revision exists";
    let remedy = "rundbrief issue edit 1 --refresh";
    assert!(found.contains(newer) && found.contains(remedy), "{found}");

    let taken = run(&app, "issue edit 1 --refresh");
    assert!(taken.err.contains("taken anew: \"Neue Radwege in der Südstadt\""), "{}", taken.err);
    assert!(!run(&app, "issue preflight 1 --no-links").out.contains(newer));
    let why = run_as("anna", &app, "issue queue 1").err;
    assert!(why.contains("changed after it was approved"), "{why}");
    let shown = run(&app, "issue show 1 --json").object();
    let preheader = shown["preheader"].as_str().unwrap();
    assert!(preheader.contains("fünf Kilometer"), "{preheader}");
    assert_eq!(run(&app, "issue preview 1 --out looks").code, 0);
    let text = std::fs::read_to_string(app.directory().join("looks/mail.txt")).unwrap();
    assert!(text.contains("fünf Kilometer") && !text.contains("vier Kilometer"), "{text}");
    assert!(text.contains("Weiterlesen:"), "{text}");

    // A page that only we have is covered by the approval as well.
    assert_eq!(run_as("bert", &app, "issue approve 1").code, 0);
    write(&app, "radwege.txt", &mended.replace("am Donnerstag", "am Freitag"));
    assert_eq!(run(&app, "article add radwege.txt").code, 0);
    assert_eq!(run(&app, "issue edit 1 --refresh").code, 0);
    let why = run_as("anna", &app, "issue queue 1").err;
    assert!(why.contains("changed after it was approved"), "{why}");
}

async fn what_was_proposed_follows_the_articles(app: App) {
    ready(&app, "");
    assert_eq!(run(&app, "issue cancel 1").code, 0);
    let brief = "Das Hallenbad öffnet wieder am Montag um sieben Uhr für alle.";
    write(&app, "bad.txt", &format!("Hallenbad öffnet wieder\n\n{brief}\n"));
    assert_eq!(run(&app, "article add bad.txt").code, 0);
    let made = run(&app, "issue compose musterhafen --json").object();
    let (both, id) = ([made["subject"].clone(), made["preheader"].clone()], &made["issue"]);
    let titles = ["Hallenbad öffnet wieder", "Neue Radwege in der Südstadt"];
    assert!(both == titles || both == [titles[1], titles[0]], "{both:?}");

    let left = run(&app, &format!("issue edit {id} --drop 1 --json")).object();
    assert_eq!([&left["subject"], &left["preheader"]], [titles[0], brief]);
    let looks = run(&app, &format!("issue preview {id} --out looks"));
    let inbox = format!("phone    Stadt Musterhafen | {} | {brief} Newsletter", titles[0]);
    assert!(looks.err.contains(&inbox), "{}", looks.err);
    let text = std::fs::read_to_string(app.directory().join("looks/mail.txt")).unwrap();
    assert!(!text.contains("Weiterlesen"), "all is said: {text}");
}

async fn four_eyes_are_two_people(app: App) {
    ready(&app, "approval = \"required\"");
    let said = |user: &str, line: &str| {
        let ended = run_as(user, &app, line);
        (ended.code, ended.err.lines().last().unwrap_or_default().to_owned())
    };
    let (code, why) = said("anna", "issue queue 1");
    assert_eq!((code, why.contains("nobody approved it yet")), (77, true), "{why}");
    assert_eq!(run_as("anna", &app, "issue approve 1").code, 0);
    let (code, why) = said("anna", "issue queue 1");
    assert_eq!((code, why.contains("four eyes")), (77, true), "{why}");
    assert_eq!(run_as("anna", &app, "issue edit 1 --subject Anders").code, 0);
    let (code, why) = said("bert", "issue queue 1");
    assert_eq!((code, why.contains("changed after it was approved")), (77, true), "{why}");
    assert_eq!(run_as("anna", &app, "issue approve 1").code, 0);
    assert_eq!(run_as("bert", &app, "issue queue 1 --json").object()["state"], "queued");
    // Whoever approves it while it is paused does not let it go either.
    assert_eq!(run_as("bert", &app, "issue pause 1").code, 0);
    assert_eq!(run_as("bert", &app, "issue approve 1").code, 0);
    let (code, why) = said("bert", "issue resume 1");
    assert_eq!((code, why.contains("four eyes")), (77, true), "{why}");
    assert_eq!(run_as("anna", &app, "issue resume 1 --json").object()["state"], "queued");
}

async fn a_test_copy_is_signed_and_goes_to_one_address(app: App) {
    ready(&app, "");
    let relay = Relay::start(Offer::default()).await;
    let (rsa, ed25519) = (dkim::rsa_pem(KeySize::Rsa2048), dkim::ed25519_pem());
    write(&app, "rsa.pem", &rsa);
    write(&app, "ed25519.pem", &ed25519);
    for name in ["rsa.pem", "ed25519.pem"] {
        let mine = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(app.directory().join(name), mine).unwrap();
    }
    let file = app.directory().join("rundbrief.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    config = config.replacen("port = 25\n", &format!("port = {}\n", relay.port), 1);
    for (selector, key) in [("2026a", "rsa.pem"), ("2026e", "ed25519.pem")] {
        let domain = "domain = \"example.de\"";
        config.push_str(&format!(
            "\n[[mail.dkim]]\n{domain}\nselector = \"{selector}\"\nkey = {{ file = \"{key}\" }}\n"
        ));
    }
    std::fs::write(&file, config).unwrap();

    // The relay answers on this thread's runtime while the command is waited for.
    let waited = |line: &str| tokio::task::block_in_place(|| run(&app, line));
    let sent = waited("issue test 1 probe@example.org --json");
    assert_eq!(sent.object()["accepted"], true);
    let caught = relay.caught();
    assert_eq!(caught.len(), 1);
    assert_eq!(caught[0].to, "probe@example.org");
    let mail = String::from_utf8(caught[0].content.clone()).unwrap();
    assert!(
        mail.contains("\r\nTo: probe@example.org\r\n") || mail.contains("To: <probe@example.org>")
    );
    let keys = [
        Key::parse("example.de", "2026a", &rsa).unwrap(),
        Key::parse("example.de", "2026e", &ed25519).unwrap(),
    ];
    let zone = dkim::Zone::of(&keys);
    let verdicts = std::thread::spawn(move || dkim::verdicts(&zone, &mail)).join().unwrap();
    assert_eq!(verdicts, [true, true], "what went over the wire is what was signed");

    let refused = waited("issue test 1 nobody@example.org");
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(refused.err.contains("at rcpt: 550"), "{}", refused.err);
    assert_eq!(run(&app, "issue report 1 --json").object()["total"], 0, "outside the ledger");
}

async fn the_mails_of_the_service_can_be_looked_at(app: App) {
    ready(&app, "");
    let written = run(&app, "newsletter mails musterhafen --out mails --json");
    assert_eq!(written.code, 0, "{}", written.err);
    let objects: Vec<Value> =
        written.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = objects.iter().map(|one| one["mail"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "confirm",
            "welcome",
            "goodbye",
            "preferences",
            "address",
            "export",
            "invitation",
            "draft",
            "probe",
            "reply",
            "report"
        ]
    );
    for one in &objects {
        let read = |at: usize| {
            let name = one["files"][at].as_str().unwrap();
            std::fs::read(app.directory().join(name)).unwrap()
        };
        let (text, html, mail) = (read(0), read(1), read(2));
        let parsed = MessageParser::default().parse(&mail).unwrap();
        assert_eq!(parsed.subject(), one["subject"].as_str());
        assert_eq!(parsed.body_html(0).unwrap().as_bytes(), html);
        assert_eq!(parsed.body_text(0).unwrap().replace("\r\n", "\n").as_bytes(), text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("Newsletter Musterhafen") && text.contains("Rathausplatz 1"));
        assert!(!text.contains("example.org/"), "links are the newsletter's own: {text}");
    }
    let reply = std::fs::read_to_string(app.directory().join("mails/reply.eml")).unwrap();
    assert!(reply.contains("message/rfc822") && reply.contains("redaktion@example.de"));
}

async fn what_is_not_there_is_said(app: App) {
    run(&app, &format!("init --directory . --database {}", app.database));
    for (line, said) in [
        ("issue show 7", "there is no issue \"7\""),
        ("issue compose nobody", "there is no newsletter \"nobody\""),
        ("newsletter show nobody", "there is no newsletter \"nobody\""),
    ] {
        let ended = run(&app, line);
        assert_eq!(ended.code, 65, "{line}");
        assert!(ended.err.contains(said), "{}", ended.err);
    }
    assert!(run(&app, "issue list").err.contains("no issues yet"));
    assert!(run(&app, "newsletter list").err.contains("no newsletters yet"));
}

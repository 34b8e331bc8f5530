//! What the mails of the service must say.

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::flow;
use rundbrief_templates::language::Language;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::samples;

fn mail(kind: &str, language: Language) -> Mail {
    let all = samples::service::all(&shipped::brand(Name::Office), language);
    let found = all.into_iter().find(|(name, _)| *name == kind);
    found.expect("a mail of the service").1
}

#[test]
fn a_confirmation_says_what_happens_if_it_is_ignored() {
    let german = flow::unflow(&mail("confirm", Language::German).text).replace('\u{a0}', " ");
    assert!(german.contains("Ohne Bestätigung bekommen Sie keinen Newsletter"));
    assert!(german.contains("jederzeit abbestellen"));
    assert!(german.contains("Montag, 30. November 2026"), "{german}");
    let english = flow::unflow(&mail("confirm", Language::English).text);
    assert!(english.contains("without a confirmation you will not get a newsletter"));
}

#[test]
fn a_welcome_shows_how_to_leave() {
    let welcome = mail("welcome", Language::German);
    assert!(welcome.html.contains(">Newsletter abbestellen</a>"));
    assert!(welcome.text.contains("Newsletter abbestellen:\n"));
}

#[test]
fn a_goodbye_is_the_last_one() {
    let text = flow::unflow(&mail("goodbye", Language::German).text);
    assert!(text.contains("dies ist die letzte E-Mail an diese Adresse"), "{text}");
}

#[test]
fn a_probe_asks_for_nothing() {
    let text = flow::unflow(&mail("probe", Language::German).text);
    assert!(text.contains("Sie müssen nichts tun"), "{text}");
    assert!(text.contains("Kommt auch diese E-Mail zurück"), "{text}");
}

#[test]
fn a_reply_says_who_wrote_and_how_they_leave() {
    let text = flow::unflow(&mail("reply", Language::German).text);
    assert!(text.contains("Von: Kim Beispiel <kim@example.org>"), "{text}");
    assert!(text.contains("rundbrief bounce review 12 --as leave"), "{text}");
}

#[test]
fn a_report_leaves_no_number_out() {
    let text = mail("report", Language::German).text;
    for line in [
        "Insgesamt: 3.012",
        "Angenommen: 2.987",
        "Gescheitert: 14",
        "Wird erneut versucht: 8",
        "Ungewiss: 3",
    ] {
        assert!(text.contains(line), "{line}");
    }
    assert!(mail("report", Language::English).html.contains("<th "));
}

#[test]
fn the_newsletter_of_a_mail_is_named_in_its_subject() {
    for kind in [
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
        "report",
    ] {
        assert!(mail(kind, Language::German).subject.contains("„Hafenpost“"), "{kind}");
        assert!(mail(kind, Language::English).subject.contains("“Harbour Post”"), "{kind}");
    }
}

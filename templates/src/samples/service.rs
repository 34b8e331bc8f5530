//! The mails of the service, as examples.

use jiff::civil::{date, datetime};

use crate::brand::Brand;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::samples::publication;
use crate::service::address::{self, Address};
use crate::service::confirm::{self, Confirm};
use crate::service::draft::{self, Draft};
use crate::service::export::{self, Export};
use crate::service::goodbye::{self, Goodbye};
use crate::service::invitation::{self, Invitation};
use crate::service::preferences::{self, Preferences};
use crate::service::probe::{self, Probe};
use crate::service::reply::{self, Reply};
use crate::service::report::{self, Report, Sums};
use crate::service::welcome::{self, Welcome};

/// Whose mails they are.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// Who publishes.
    pub publication: &'a Publication,
    /// The address that links begin with, without a slash at its end.
    pub site: &'a str,
    /// The newsletter's short name in addresses.
    pub slug: &'a str,
}

/// Every mail of the service with a name for files, as Musterhafen sends it.
pub fn all(brand: &Brand, language: Language) -> Vec<(&'static str, Mail)> {
    let publication = &publication(language);
    let site = "https://www.musterhafen.example.org";
    of(&Setting { publication, site, slug: "hafenpost" }, brand, language)
}

/// The same as another newsletter sends it.
pub fn of(setting: &Setting<'_>, brand: &Brand, language: Language) -> Vec<(&'static str, Mail)> {
    let Setting { publication, site, slug } = *setting;
    let valid_until = date(2026, 11, 30);
    let url = |path: &str| format!("{site}/{path}/BQAAAAAAAAAMAAAAAAAAAAdk1Rj7u8Yb");
    let (rhythm, role, subject) = match language {
        Language::German => {
            ("jeden zweiten Montag", "Redaktion", "Neue Radwege, Haushalt 2027 und Advent am Hafen")
        }
        Language::English => (
            "every second Monday",
            "Writer",
            "New cycle paths, budget 2027 and Advent at the harbour",
        ),
    };
    let reports = report(setting, subject, brand, language);
    let confirm = Confirm { publication, url: &url("c"), valid_until };
    let welcome = Welcome {
        publication,
        rhythm: Some(rhythm),
        archive_url: &format!("{site}/archive/{slug}"),
        preferences_url: &url("p"),
        unsubscribe_url: &url("u"),
    };
    let goodbye = Goodbye { publication, subscribe_url: &format!("{site}/subscribe/{slug}") };
    let preferences = Preferences { publication, url: &url("p"), valid_until };
    let address = Address { publication, url: &url("a"), valid_until };
    let export = Export { publication, url: &url("x"), valid_until };
    let invitation =
        Invitation { publication, invited_by: "Kim Beispiel", role, url: &url("i"), valid_until };
    let draft = Draft {
        publication,
        number: 12,
        subject,
        articles: 3,
        blocking: 1,
        due: Some(datetime(2026, 11, 23, 8, 0, 0, 0)),
        url: &format!("{site}/issues/12"),
    };
    let probe = Probe { publication, preferences_url: &url("p") };
    let reply = Reply {
        publication,
        from: "Kim Beispiel <kim@example.org>",
        about: match language {
            Language::German => "AW: Neue Radwege",
            Language::English => "Re: New cycle paths",
        },
        leave: Some("rundbrief bounce review 12 --as leave"),
    };
    vec![
        ("confirm", confirm::render(&confirm, brand, language)),
        ("welcome", welcome::render(&welcome, brand, language)),
        ("goodbye", goodbye::render(&goodbye, brand, language)),
        ("preferences", preferences::render(&preferences, brand, language)),
        ("address", address::render(&address, brand, language)),
        ("export", export::render(&export, brand, language)),
        ("invitation", invitation::render(&invitation, brand, language)),
        ("draft", draft::render(&draft, brand, language)),
        ("probe", probe::render(&probe, brand, language)),
        ("reply", reply::render(&reply, brand, language)),
        ("report", reports),
    ]
}

/// What became of an issue.
fn report(setting: &Setting<'_>, subject: &str, brand: &Brand, language: Language) -> Mail {
    let Setting { publication, site, .. } = *setting;
    let report = Report {
        publication,
        number: 12,
        subject,
        sums: Sums {
            total: 3012,
            accepted: 2987,
            bounced: 9,
            complained: 1,
            failed: 14,
            deferred: 8,
            waiting: 0,
            unknown: 3,
            cancelled: 0,
        },
        url: &format!("{site}/issues/12/report"),
    };
    report::render(&report, brand, language)
}

//! A newsletter as its TOML file says it: who sends, when, from what, by which rules.
//!
//! Each value is read into a type that holds only what is right, so that a
//! mistake is reported with its line and what is allowed there. Knows no
//! database; whether the sources named here exist is asked by `newsletter apply`.

use rundbrief_subscribers::address::EmailAddress;
use rundbrief_templates::brand::choice::Choice;
use rundbrief_templates::language::Language;
use rundbrief_templates::publication::{Imprint, Publication};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::field::{
    Address, Count, Days, Expression, HardBounces, Line, ListId, Mails, Minutes, ProbeDays, Score,
    Slug, Zone,
};
use crate::schedule;

/// Digits that a telephone number has at least, as in 115.
const PHONE_MIN: usize = 3;

/// What `newsletter apply` reads. Optional keys have the defaults that stand here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The short name that commands and addresses use.
    pub slug: Slug,
    /// The name readers know, as in "Newsletter Musterhafen".
    pub title: Line,
    /// A line below the title in the masthead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Line>,
    /// The language of the standing words, and of articles that do not name theirs.
    pub language: Language,
    /// The zone of the schedule, of event times and of the mails' Date.
    pub time_zone: Zone,
    /// When an issue is composed; without it, by hand only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Expression>,
    /// How the mails look.
    #[serde(default)]
    pub brand: Choice,
    /// How pictures reach the reader.
    #[serde(default)]
    pub pictures: Pictures,
    /// The publisher's web site.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_url: Option<Address>,
    /// The privacy notice (Art. 13 GDPR).
    pub privacy_url: Address,
    /// The accessibility statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessibility_url: Option<Address>,
    /// Where a reader finds help with the newsletter (List-Help, RFC 2369); the
    /// privacy notice where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help_url: Option<Address>,
    /// Who it is from.
    pub sender: Sender,
    /// Who answers for it.
    pub imprint: Imprint,
    /// Transports of `rundbrief.toml` that carry it: the first that works, in this
    /// order; those of `mail.transports` unless said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
    /// A few words before the first article of each issue, behind the greeting;
    /// blank lines part paragraphs. Without them there is no greeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editorial: Option<String>,
    /// Who signs them, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signature: Vec<Line>,
    /// What goes into an issue.
    #[serde(default)]
    pub rules: Rules,
    /// What to do when something is late, unknown, due.
    #[serde(default)]
    pub policies: Policies,
    /// When a reader's address is given up.
    #[serde(default)]
    pub bounce: Bounces,
}

/// How pictures reach the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pictures {
    /// They stand on our server, and the reader's program loads them.
    #[default]
    Linked,
    /// They go along with each mail: seen without loading, and no server hears of it.
    Embedded,
}

/// Who the mails are from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// The name in `From:`.
    pub name: Line,
    /// The address in `From:`; DKIM must sign for its domain.
    #[serde(deserialize_with = "from")]
    pub address: EmailAddress,
    /// Where a reader's answer goes: a mailbox that somebody reads.
    #[serde(deserialize_with = "reply_to")]
    pub reply_to: EmailAddress,
    /// The identifier in `List-Id:` (RFC 2919); `slug.domain-of-the-address` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list_id: Option<ListId>,
}

fn from<'de, D: Deserializer<'de>>(value: D) -> Result<EmailAddress, D::Error> {
    mailbox("address", value)
}

fn reply_to<'de, D: Deserializer<'de>>(value: D) -> Result<EmailAddress, D::Error> {
    mailbox("reply_to", value)
}

/// Reads an address; a refusal names the field and what stands there.
fn mailbox<'de, D: Deserializer<'de>>(field: &str, value: D) -> Result<EmailAddress, D::Error> {
    let text = String::deserialize(value)?;
    EmailAddress::parse(&text).map_err(|error| {
        let example = "redaktion@example.de";
        D::Error::custom(format!("sender.{field}: {text:?} {error}; allowed: one as in {example}"))
    })
}

/// What goes into an issue, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Sources by their names; `hand` is what was added by hand. Empty: all.
    pub sources: Vec<String>,
    /// Articles in one issue, events not counted.
    pub at_most: Count,
    /// Fewer new articles and events than this make no issue.
    pub at_least: Count,
    /// Which article opens the issue.
    pub lead: Lead,
    /// Articles published longer ago are left out; what was added by hand counts
    /// from that day.
    pub max_age_days: Days,
    /// The sections in their order; an article stands in the first that wants it.
    #[serde(rename = "section")]
    pub sections: Vec<Section>,
    /// The heading over articles that no section wants; `""` leaves them out.
    pub rest: Option<String>,
    /// What takes place.
    pub events: Events,
}

/// One section of an issue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// Its heading.
    pub title: Line,
    /// Categories or parts of the kicker path; case does not matter.
    #[serde(default)]
    pub categories: Vec<String>,
    /// Sources by their names.
    #[serde(default)]
    pub sources: Vec<String>,
    /// Articles in it.
    #[serde(default = "Count::any")]
    pub at_most: Count,
    /// Heading and a sentence or two, no pictures.
    #[serde(default)]
    pub short: bool,
}

/// How events are shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// The heading; "Termine" or "Events" unless said.
    pub title: Option<Line>,
    /// Events in one issue; 0 treats them as articles.
    pub at_most: Count,
    /// Events further ahead wait for a later issue.
    pub within_days: Days,
}

/// Which article opens an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lead {
    /// The newest one.
    #[default]
    Newest,
    /// The newest one with a picture, else the newest.
    Pictured,
    /// None stands out.
    None,
}

/// What to do when something is late, unknown, due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policies {
    /// An issue whose time passed while nothing ran.
    pub late: Late,
    /// From when on it counts as late.
    pub late_after_minutes: Minutes,
    /// A mail of which nobody can know whether it arrived.
    pub unknown: Unknown,
    /// What happens with an issue that the schedule composed.
    pub when_due: WhenDue,
    /// Between *queue* and the first mail.
    pub undo_minutes: Minutes,
    /// Who must have seen an issue before it is queued.
    pub approval: Approval,
    /// Of more than 1,000 readers, so many get it first; 0: all at once.
    pub first_wave: Mails,
    /// And so long the others wait for what comes back.
    pub first_wave_minutes: Minutes,
}

/// When a reader's address is given up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounces {
    /// Hard bounces on different days.
    pub hard: HardBounces,
    /// A hard bounce is forgotten when so many days brought no other.
    pub hard_memory_days: Days,
    /// Days after a first "user unknown" until a probe asks again; 0 sends none.
    pub probe_after_days: ProbeDays,
    /// The score of soft bounces: each adds one.
    pub soft: Score,
    /// Days after which a soft bounce weighs half.
    pub soft_half_life_days: Days,
}

/// Who must have seen an issue before it is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approval {
    /// Nobody else.
    #[default]
    None,
    /// Somebody other than who queues it approved exactly this mail. An issue of the
    /// schedule then waits as a draft.
    Required,
}

/// What happens with an issue whose time passed while nothing ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// It goes out now.
    Send,
    /// It waits for an editor.
    #[default]
    Ask,
    /// It does not go out.
    Skip,
}

/// What happens with a mail of which nobody can know whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// Sent again, with the same Message-ID.
    #[default]
    AtLeastOnce,
    /// Not sent again; listed.
    AtMostOnce,
    /// An editor decides.
    Ask,
}

/// What happens with an issue that the schedule composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenDue {
    /// It waits as a draft.
    #[default]
    Draft,
    /// It is queued at once, if nothing blocks it.
    Queue,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            at_most: Count::new(10),
            at_least: Count::new(1),
            lead: Lead::default(),
            max_age_days: Days::new(60),
            sections: Vec::new(),
            rest: None,
            events: Events::default(),
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { title: None, at_most: Count::new(10), within_days: Days::new(90) }
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self {
            late: Late::default(),
            late_after_minutes: Minutes::new(120),
            unknown: Unknown::default(),
            when_due: WhenDue::default(),
            undo_minutes: Minutes::new(2),
            approval: Approval::default(),
            first_wave: Mails::new(200),
            first_wave_minutes: Minutes::new(5),
        }
    }
}

impl Default for Bounces {
    fn default() -> Self {
        Self {
            hard: HardBounces::new(2),
            hard_memory_days: Days::new(180),
            probe_after_days: ProbeDays::new(3),
            soft: Score::new(4.5),
            soft_half_life_days: Days::new(30),
        }
    }
}

impl Definition {
    /// What the foot of every mail says.
    pub fn publication(&self) -> Publication {
        let text = |url: &Option<Address>| url.as_ref().map(|url| url.as_str().to_owned());
        Publication {
            name: self.title.as_str().to_owned(),
            claim: self.claim.as_ref().map(|claim| claim.as_str().to_owned()),
            home_url: text(&self.home_url),
            privacy_url: self.privacy_url.as_str().to_owned(),
            accessibility_url: text(&self.accessibility_url),
            imprint: self.imprint.clone(),
        }
    }

    /// What does not stand although each value could be read: table, field, and what is
    /// wrong. What is empty in the imprint stands until an issue goes out.
    pub fn faults(&self) -> Vec<(&'static str, &'static str, String)> {
        let mut faults = Vec::new();
        if let Some(logo) = &self.brand.logo {
            let fields = logo.faults().into_iter();
            faults.extend(fields.map(|(field, what)| ("brand.logo", field, what)));
            for (field, url) in [("url", Some(&logo.url)), ("dark_url", logo.dark_url.as_ref())] {
                let web = url.filter(|url| url.starts_with("https://"));
                if let Some(Err(what)) = web.map(|url| Address::parse(url)) {
                    faults.push(("brand.logo", field, what));
                }
                // What a mail carries is named anew in each; no file can know it.
                if let Some(url) = url.filter(|url| url.starts_with("cid:")) {
                    let what = format!(
                        "{url:?} names a part of a mail; allowed: https://…, which goes along where pictures = \"embedded\""
                    );
                    faults.push(("brand.logo", field, what));
                }
            }
        }
        let email = self.imprint.email.trim();
        if !email.is_empty() && EmailAddress::parse(email).is_err() {
            let what =
                format!("{email:?} is no mail address; allowed: one as in redaktion@example.de");
            faults.push(("imprint", "email", what));
        }
        let phone = self.imprint.phone.trim();
        let digits = phone.chars().filter(char::is_ascii_digit).count();
        if !phone.is_empty() && digits < PHONE_MIN {
            let what =
                format!("{phone:?} is no telephone number; allowed: one as in +49 30 1234567");
            faults.push(("imprint", "phone", what));
        }
        faults
    }

    /// The identifier in `List-Id:`.
    pub fn list_id(&self) -> String {
        self.sender.list_id.as_ref().map_or_else(
            || format!("{}.{}", self.slug, self.sender.address.domain()),
            |id| id.as_str().to_owned(),
        )
    }

    /// When it is due; `None` without a schedule.
    pub fn schedule(&self) -> Option<schedule::Schedule> {
        let text = self.schedule.as_ref()?.as_str();
        Some(
            schedule::Schedule::parse(text, self.time_zone.zone())
                .expect("an Expression was parsed once already, and no zone changes that"),
        )
    }
}

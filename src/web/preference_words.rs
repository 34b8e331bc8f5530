//! The words of the preferences page, once per language.

use rundbrief_templates::language::Language;

/// The words of one language. A missing one does not compile.
#[derive(Debug)]
pub struct Words {
    /// Heading.
    pub title: &'static str,
    /// Before the masked address.
    pub for_address: &'static str,
    /// What is said after saving.
    pub saved: &'static str,
    /// Heading over how they are addressed.
    pub person: &'static str,
    /// Label of the form of address.
    pub salutation: &'static str,
    /// The forms of address, in the order of `person::SALUTATIONS`.
    pub salutations: [&'static str; 4],
    /// Label.
    pub given: &'static str,
    /// Label.
    pub family: &'static str,
    /// What is wrong with a name.
    pub name_too_long: &'static str,
    /// What is wrong with a name.
    pub name_character: &'static str,
    /// What is wrong with a name.
    pub name_address: &'static str,
    /// Label.
    pub language: &'static str,
    /// The choice of no language of one's own.
    pub newsletters_language: &'static str,
    /// Heading over the newsletters.
    pub newsletters: &'static str,
    /// The choice of every issue.
    pub get: &'static str,
    /// The choice of a break without end.
    pub pause: &'static str,
    /// Around the number of weeks of a break.
    pub pause_for: (&'static str, &'static str),
    /// The break they are in.
    pub paused: &'static str,
    /// The break they are in; the day follows.
    pub paused_until: &'static str,
    /// The choice to leave.
    pub leave: &'static str,
    /// What is said of a subscription that was not confirmed yet.
    pub pending: &'static str,
    /// What is said of one that was left.
    pub left: &'static str,
    /// What is said of one whose mails came back.
    pub unreachable: &'static str,
    /// The button.
    pub save: &'static str,
    /// Before the address to write to about one's data.
    pub data: &'static str,
}

impl Words {
    /// The choice of a break of so many weeks.
    pub fn pause_weeks(&self, weeks: i64) -> String {
        let (before, after) = self.pause_for;
        format!("{before} {weeks} {after}")
    }
}

const GERMAN: Words = Words {
    title: "Ihre Einstellungen",
    for_address: "Sie gelten für",
    saved: "Gespeichert. Es gilt ab sofort.",
    person: "So sprechen wir Sie an",
    salutation: "Anrede",
    salutations: ["keine Angabe", "Frau", "Herr", "ohne Frau oder Herr"],
    given: "Vorname",
    family: "Nachname",
    name_too_long: "Bitte höchstens 100 Zeichen.",
    name_character: "Hier steht ein Zeichen, das in Namen nicht vorkommt.",
    name_address: "Bitte nur den Namen, keine Web- oder E-Mail-Adresse.",
    language: "Sprache",
    newsletters_language: "wie der Newsletter",
    newsletters: "Das erhalten Sie",
    get: "Jede Ausgabe",
    pause: "Pause, bis ich mich wieder melde",
    pause_for: ("Pause für", "Wochen"),
    paused: "Pause",
    paused_until: "Pause bis",
    leave: "Abmelden",
    pending: "Diese Anmeldung ist noch nicht bestätigt. Der Link dazu steht in der E-Mail, die wir Ihnen geschickt haben.",
    left: "Sie sind abgemeldet und erhalten keine Ausgabe mehr.",
    unreachable: "Unsere E-Mails kamen mehrmals zurück; wir schicken deshalb keine mehr.",
    save: "Speichern",
    data: "Auskunft über Ihre Daten oder deren Löschung erhalten Sie unter",
};

const ENGLISH: Words = Words {
    title: "Your preferences",
    for_address: "They apply to",
    saved: "Saved. It takes effect at once.",
    person: "How we address you",
    salutation: "Form of address",
    salutations: ["not stated", "Ms", "Mr", "neither Ms nor Mr"],
    given: "Given name",
    family: "Family name",
    name_too_long: "Please use at most 100 characters.",
    name_character: "There is a character here that names do not have.",
    name_address: "Only the name, please, no web or e-mail address.",
    language: "Language",
    newsletters_language: "as the newsletter",
    newsletters: "What you get",
    get: "Every issue",
    pause: "Pause until I say otherwise",
    pause_for: ("Pause for", "weeks"),
    paused: "Paused",
    paused_until: "Paused until",
    leave: "Unsubscribe",
    pending: "This subscription is not confirmed yet. The link is in the e-mail that we sent you.",
    left: "You are unsubscribed and get no more issues.",
    unreachable: "Our e-mails came back several times, so we send no more of them.",
    save: "Save",
    data: "For a copy of your data, or to have it erased, write to",
};

/// The words of a language.
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::German => &GERMAN,
        Language::English => &ENGLISH,
    }
}

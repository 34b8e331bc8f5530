//! The standing words of pages, once per language.

use rundbrief_templates::language::Language;

/// The words of one language. A missing one does not compile.
#[derive(Debug)]
pub struct Words {
    /// Heading of the list of newsletters.
    pub archive: &'static str,
    /// What the list of newsletters says when it is empty.
    pub no_newsletters: &'static str,
    /// What a newsletter's archive says when it is empty.
    pub no_issues: &'static str,
    /// "Ausgabe", before the number.
    pub issue: &'static str,
    /// Before the breadcrumb.
    pub you_are_here: &'static str,
    /// Link to later pages of a list.
    pub older: &'static str,
    /// Link to the first page of a list.
    pub newest: &'static str,
    /// Heading of the articles of an issue, for screen readers.
    pub articles: &'static str,
    /// "Weiterlesen", before a title.
    pub read_on: &'static str,
    /// The way back from an article.
    pub back_to_issue: &'static str,
    /// The way back from an issue.
    pub back_to_archive: &'static str,
    /// Before a picture's credit.
    pub photo: &'static str,
    /// Heading of the pictures below an article.
    pub pictures: &'static str,
    /// Before the authors.
    pub by: &'static str,
    /// Before the time of an event.
    pub when: &'static str,
    /// Before the place of an event.
    pub place: &'static str,
    /// Link to where the article came from.
    pub original: &'static str,
    /// Heading of the imprint.
    pub imprint: &'static str,
    /// Before the representative.
    pub represented_by: &'static str,
    /// Before the telephone number.
    pub phone: &'static str,
    /// Before the mail address.
    pub email: &'static str,
    /// Link to the publisher's site.
    pub home: &'static str,
    /// Link to the privacy notice.
    pub privacy: &'static str,
    /// Link to the accessibility statement.
    pub accessibility: &'static str,
}

const GERMAN: Words = Words {
    archive: "Archiv der Newsletter",
    no_newsletters: "Noch ist keine Ausgabe erschienen.",
    no_issues: "Von diesem Newsletter ist noch keine Ausgabe erschienen.",
    issue: "Ausgabe",
    you_are_here: "Sie sind hier:",
    older: "Ältere Ausgaben",
    newest: "Neueste Ausgaben",
    articles: "Beiträge",
    read_on: "Weiterlesen",
    back_to_issue: "Zurück zur Ausgabe",
    back_to_archive: "Zurück zum Archiv",
    photo: "Foto",
    pictures: "Bilder",
    by: "Von",
    when: "Wann",
    place: "Wo",
    original: "Beitrag auf der Website des Herausgebers",
    imprint: "Impressum",
    represented_by: "Vertreten durch",
    phone: "Telefon",
    email: "E-Mail",
    home: "Website",
    privacy: "Datenschutz",
    accessibility: "Erklärung zur Barrierefreiheit",
};

const ENGLISH: Words = Words {
    archive: "Newsletter archive",
    no_newsletters: "No issue has appeared yet.",
    no_issues: "No issue of this newsletter has appeared yet.",
    issue: "Issue",
    you_are_here: "You are here:",
    older: "Older issues",
    newest: "Newest issues",
    articles: "Articles",
    read_on: "Read on",
    back_to_issue: "Back to the issue",
    back_to_archive: "Back to the archive",
    photo: "Photo",
    pictures: "Pictures",
    by: "By",
    when: "When",
    place: "Where",
    original: "The article on the publisher’s web site",
    imprint: "Imprint",
    represented_by: "Represented by",
    phone: "Telephone",
    email: "E-mail",
    home: "Web site",
    privacy: "Privacy",
    accessibility: "Accessibility statement",
};

/// The words of a language.
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::German => &GERMAN,
        Language::English => &ENGLISH,
    }
}

//! A rendered mail with its HTML parsed.

use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::issue;
use rundbrief_templates::language::Language;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::samples::{self, Sample};
use rundbrief_templates::slot::{Slot, Slots};
use scraper::{ElementRef, Html, Selector};

/// A mail and what it was made of.
pub struct Page {
    pub name: String,
    pub brand: Name,
    pub language: Language,
    pub mail: Mail,
    pub html: Html,
}

pub fn slots() -> Slots {
    Slots::new(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
}

/// The mail as one reader gets it.
pub fn filled(mut mail: Mail) -> Mail {
    for slot in Slot::ALL {
        let value = match slot {
            Slot::Salutation => "Guten Tag Anna Beispiel,",
            Slot::Unsubscribe => "https://news.example.org/u/unsubscribe-token",
            Slot::Preferences => "https://news.example.org/p/preferences-token",
            Slot::WebVersion => "https://news.example.org/archive/12",
        };
        mail.html = mail.html.replace(&slots().mark(slot), value);
        mail.text = mail.text.replace(&slots().mark(slot), value);
    }
    mail
}

pub fn page(sample: Sample, brand: Name, language: Language) -> Page {
    let issue = sample.issue(language);
    let mail = issue::render(&issue, &shipped::brand(brand), language, &slots());
    let name = format!("{} {} {}", sample.name(), brand.as_str(), language.tag());
    made(name, brand, language, filled(mail))
}

pub fn made(name: String, brand: Name, language: Language, mail: Mail) -> Page {
    Page { name, brand, language, html: Html::parse_document(&mail.html), mail }
}

/// Every sample and every mail of the service in each language, the brands by
/// turns; two samples and the whole service in every brand.
pub fn all() -> Vec<Page> {
    let mut pages = Vec::new();
    for (turn, language) in Language::ALL.into_iter().enumerate() {
        for (index, sample) in Sample::ALL.into_iter().enumerate() {
            let every = matches!(sample, Sample::Usual | Sample::RightToLeft);
            for (number, brand) in Name::ALL.into_iter().enumerate() {
                if every || number == (index + turn) % Name::ALL.len() {
                    pages.push(page(sample, brand, language));
                }
            }
        }
    }
    for (index, brand) in Name::ALL.into_iter().enumerate() {
        let language = Language::ALL[index % Language::ALL.len()];
        for (kind, mail) in samples::service::all(&shipped::brand(brand), language) {
            let name = format!("{kind} {} {}", brand.as_str(), language.tag());
            pages.push(made(name, brand, language, mail));
        }
    }
    pages
}

impl Page {
    pub fn all<'p>(&'p self, css: &str) -> Vec<ElementRef<'p>> {
        let selector = Selector::parse(css).expect("tests write valid selectors");
        self.html.select(&selector).collect()
    }
}

/// Words of an element, blanks squeezed; a line break is a blank.
pub fn words(element: ElementRef<'_>) -> String {
    let mut text = String::new();
    for node in element.descendants() {
        if let Some(piece) = node.value().as_text() {
            text.push_str(piece);
        }
        if node.value().as_element().is_some_and(|it| it.name() == "br") {
            text.push(' ');
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A declaration of an inline style.
pub fn style<'a>(element: ElementRef<'a>, property: &str) -> Option<&'a str> {
    let declarations = element.attr("style")?.split(';');
    let mut pairs = declarations.filter_map(|declaration| declaration.split_once(':'));
    pairs.find(|(name, _)| name.trim() == property).map(|(_, value)| value.trim())
}

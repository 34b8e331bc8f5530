//! Samples that are hard to show: each changes an ordinary one.

use crate::issue::{
    Article, Block, Editorial, Event, Form, Image, Issue, Link, Paragraph, Quote, Section, Span,
    When,
};
use crate::language::Language;
use crate::samples::DAY;

/// Characters that mean something in HTML, in headers, in text, or to the eye,
/// without being a tag.
pub(super) const HOSTILE: &str =
    "Fisch & Chips <3 \"gut\" 'so' \u{202e}2 > 1\u{200b}\r\nBcc: a=?b slot-0-unsubscribe";

/// What would do harm if it were not escaped. A solidus parts names and attributes, as
/// browsers take it too: judges that look for left-over tags see none, and rspamd does not
/// take the text part for HTML. The plain forms are tried by `templates/tests/it/escape.rs`.
pub(super) const MARKUP: &str = "& \"><img/src=x/onerror=b()></title/></style/>";

pub(super) fn no_pictures(mut issue: Issue) -> Issue {
    for_each_article(&mut issue, |article| article.image = None);
    issue
}

pub(super) fn broken_pictures(mut issue: Issue) -> Issue {
    let mut count = 0;
    for_each_article(&mut issue, |article| {
        if let Some(image) = &mut article.image {
            match count % 3 {
                0 => image.width = 0,
                1 => image.url = "data:image/png;base64,AAAA".to_owned(),
                _ => image.height = 1,
            }
        }
        count += 1;
    });
    issue.sections.push(Section {
        title: None,
        blocks: vec![Block::Article(Article { form: Form::Beside, ..tiny() })],
    });
    issue
}

/// An article whose picture is smaller than the place for it, everywhere.
fn tiny() -> Article {
    Article {
        title: "Musterhafen 2030".to_owned(),
        teaser: "Musterhafen 2030: www.musterhafen.example.org".to_owned(),
        image: Some(Image {
            url: "https://www.musterhafen.example.org/media/tiny.jpg".to_owned(),
            alt: "Musterhafen 2030".to_owned(),
            caption: None,
            credit: Some("Foto: Noor Beispiel".to_owned()),
            width: 80,
            height: 60,
        }),
        ..Article::default()
    }
}

pub(super) fn compounds(mut issue: Issue, language: Language) -> Issue {
    let long = match language {
        Language::German => {
            "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetzgebungsverfahren"
        }
        Language::English => {
            "Antidisestablishmentarianismfloccinaucinihilipilificationhippopotomonstrosesquipedalio"
        }
    };
    for_each_article(&mut issue, |article| {
        let mut beside = article.clone();
        beside.form = Form::Beside;
        *article = beside;
        article.title = format!("{long} beschlossen");
        if language == Language::English {
            article.title = format!("{long} adopted");
        }
        article.kicker = Some(long.to_owned());
        article.teaser = format!("{long}, {}. {}", long.to_lowercase(), article.teaser);
    });
    let quote = Quote { text: format!("{long}!"), source: Some(long.to_owned()), language: None };
    let button = Link {
        text: long.to_owned(),
        url: "https://www.musterhafen.example.org/verfahren".to_owned(),
    };
    issue.sections.push(Section {
        title: Some(long.to_owned()),
        blocks: vec![Block::Quote(quote), Block::Divider, Block::Button(button)],
    });
    issue.title = Some(long.to_owned());
    issue
}

pub(super) fn right_to_left(mut issue: Issue) -> Issue {
    issue.sections.push(Section {
        title: None,
        blocks: vec![
            Block::Article(Article {
                form: Form::Beside,
                kicker: Some("المدينة".to_owned()),
                title: "مقهى اللغات يبحث عن قاعة أكبر".to_owned(),
                subtitle: None,
                teaser: "كل يوم أربعاء يأتي ستون شخصا إلى مقهى اللغات. من يعرف قاعة مناسبة \
                         فليتصل بالجمعية في مبنى البلدية."
                    .to_owned(),
                image: Some(Image {
                    url: "https://www.musterhafen.example.org/media/cafe.jpg".to_owned(),
                    alt: "أشخاص يجلسون حول طاولة كبيرة ويتحدثون".to_owned(),
                    caption: None,
                    credit: Some("Foto: Noor Beispiel".to_owned()),
                    width: 600,
                    height: 450,
                }),
                url: Some("https://www.musterhafen.example.org/ar/cafe".to_owned()),
                link_text: Some("اقرأ المزيد عن مقهى اللغات".to_owned()),
                links: Vec::new(),
                language: Some("ar".to_owned()),
            }),
            // The fifth article: a list of contents comes, with lines in three languages.
            Block::Article(Article {
                form: Form::Short,
                title: "Le café des langues cherche une salle plus grande".to_owned(),
                teaser: "Chaque mercredi, soixante personnes se retrouvent au café des langues."
                    .to_owned(),
                url: Some("https://www.musterhafen.example.org/fr/cafe".to_owned()),
                link_text: Some("Tout sur le café des langues".to_owned()),
                language: Some("fr".to_owned()),
                ..Article::default()
            }),
            Block::Event(Event {
                title: "لقاء الجيران".to_owned(),
                when: When::Days { first: DAY, last: None },
                place: Some("مبنى البلدية".to_owned()),
                text: None,
                url: None,
                calendar_url: None,
                language: Some("ar".to_owned()),
            }),
        ],
    });
    issue
}

pub(super) fn emoji(mut issue: Issue) -> Issue {
    let with = |text: &mut String| *text = format!("{text} 🚲🎄");
    for_each_text(&mut issue, with);
    issue
}

pub(super) fn one_word(mut issue: Issue) -> Issue {
    issue.sections = vec![Section {
        title: None,
        blocks: vec![Block::Article(Article { title: "Ja".to_owned(), ..Article::default() })],
    }];
    issue
}

/// Every text of the issue is followed by the same words; the subject has its
/// head replaced, so that it stays as short as a subject must.
pub fn everywhere(mut issue: Issue, words: &str) -> Issue {
    for_each_text(&mut issue, |text| {
        text.push(' ');
        text.push_str(words);
    });
    issue.subject = words.to_owned();
    issue
}

fn for_each_article(issue: &mut Issue, mut change: impl FnMut(&mut Article)) {
    for block in issue.sections.iter_mut().flat_map(|s| &mut s.blocks) {
        if let Block::Article(article) = block {
            change(article);
        }
    }
}

/// Every field that holds words; addresses are left alone.
pub(super) fn for_each_text(issue: &mut Issue, mut change: impl FnMut(&mut String)) {
    change(&mut issue.subject);
    change(&mut issue.preheader);
    let publication = &mut issue.publication;
    change(&mut publication.name);
    let imprint = &mut publication.imprint;
    change(&mut imprint.representative);
    let optional =
        [&mut issue.title, &mut issue.reason, &mut publication.claim, &mut imprint.responsible];
    optional.into_iter().flatten().for_each(&mut change);
    if let Some(Editorial { paragraphs, signature }) = &mut issue.editorial {
        paragraphs.iter_mut().for_each(|it| spans(it, &mut change));
        signature.iter_mut().for_each(&mut change);
    }
    for section in &mut issue.sections {
        section.title.iter_mut().for_each(&mut change);
        for block in &mut section.blocks {
            texts_of(block, &mut change);
        }
    }
}

fn texts_of(block: &mut Block, change: &mut impl FnMut(&mut String)) {
    match block {
        Block::Article(it) => {
            change(&mut it.title);
            change(&mut it.teaser);
            let optional = [&mut it.kicker, &mut it.subtitle, &mut it.link_text];
            optional.into_iter().flatten().for_each(&mut *change);
            it.links.iter_mut().for_each(|link| change(&mut link.text));
            if let Some(image) = &mut it.image {
                change(&mut image.alt);
                let optional = [&mut image.caption, &mut image.credit];
                optional.into_iter().flatten().for_each(&mut *change);
            }
        }
        Block::Event(it) => {
            change(&mut it.title);
            let optional = [&mut it.place, &mut it.text];
            optional.into_iter().flatten().for_each(change);
        }
        Block::Quote(Quote { text, source, .. }) => {
            change(text);
            source.iter_mut().for_each(change);
        }
        Block::Button(it) => change(&mut it.text),
        Block::Text(it) => it.iter_mut().for_each(|it| spans(it, change)),
        Block::Divider => {}
    }
}

fn spans(paragraph: &mut Paragraph, change: &mut impl FnMut(&mut String)) {
    for span in &mut paragraph.0 {
        match span {
            Span::Text(text) | Span::Strong(text) => change(text),
            Span::Link(link) => change(&mut link.text),
        }
    }
}

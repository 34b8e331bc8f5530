//! The HTML: head, layout, pictures, links, headings.

use std::collections::HashMap;

use scraper::ElementRef;

use rundbrief_templates::brand::shipped::Name;
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::Sample;

use crate::page::{Page, all, page, style, words};

fn each(check: impl Fn(&Page)) {
    all().iter().for_each(check);
}

#[test]
fn a_document_says_its_language_where_clients_look() {
    each(|page| {
        let name = &page.name;
        let tag = page.language.tag();
        for element in page.all("html, body, body > div") {
            assert_eq!(element.attr("lang"), Some(tag), "{name}");
            assert_eq!(element.attr("dir"), Some("ltr"), "{name}");
        }
        assert_eq!(page.all("body > div").len(), 2, "{name}");
        let article = page.all("body > div[role=article]");
        assert!(!article[0].attr("aria-label").unwrap().is_empty(), "{name}");
        assert!(!article[0].attr("aria-roledescription").unwrap().is_empty(), "{name}");
        assert_eq!(words(page.all("title")[0]), page.mail.subject.replace('\u{a0}', " "), "{name}");
        assert!(page.mail.html.starts_with("<!DOCTYPE html>"), "{name}");
    });
}

#[test]
fn a_mail_stays_small_and_has_no_foreign_parts() {
    each(|page| {
        let name = &page.name;
        let html = &page.mail.html;
        assert!(html.len() <= 75_000, "{name}: {} bytes", html.len());
        let css = words(page.all("head > style")[0]);
        assert!(css.len() < 16_384, "{name}");
        assert!(!css.contains("}}") && !css.contains("{{"), "{name}: looks like a template mark");
        for foreign in ["@import", "@font-face", "url("] {
            assert!(!css.contains(foreign), "{name}: {foreign}");
        }
        let forbidden = "script, iframe, form, input, button, object, svg, video, base, link";
        assert!(page.all(forbidden).is_empty(), "{name}");
        assert_eq!(page.all("style").len(), 1, "{name}");
        assert_eq!(html.matches("<!--[if").count(), html.matches("<![endif]-->").count(), "{name}");
        assert!(html.contains("<noscript><xml><o:OfficeDocumentSettings>"), "{name}");
    });
}

#[test]
fn tables_are_layout_or_have_headings() {
    each(|page| {
        let name = &page.name;
        for table in page.all("table") {
            let headed = table.select(&scraper::Selector::parse("th").unwrap()).next().is_some();
            assert!(table.attr("role") == Some("presentation") || headed, "{name}");
            for attribute in ["border", "cellpadding", "cellspacing"] {
                assert_eq!(table.attr(attribute), Some("0"), "{name}: {attribute}");
            }
        }
        let ghosts = page.mail.html.matches("<!--[if mso]><table ").count();
        let roles = page.mail.html.matches("<!--[if mso]><table role=\"presentation\"").count();
        assert_eq!(ghosts, roles, "{name}");
        assert!(page.mail.html.contains("width=\"600\"><tr><td><![endif]-->"), "{name}");
        assert!(page.mail.html.contains("max-width:600px;margin:0 auto"), "{name}");
    });
}

#[test]
fn headings_begin_at_one_and_skip_no_level() {
    each(|page| {
        let levels: Vec<u32> = page
            .all("h1, h2, h3, h4, h5, h6")
            .into_iter()
            .map(|heading| {
                assert!(!words(heading).is_empty(), "{}: an empty heading", page.name);
                heading.value().name()[1..].parse().unwrap()
            })
            .collect();
        assert_eq!(levels[0], 1, "{}", page.name);
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{}", page.name);
        for pair in levels.windows(2) {
            assert!(pair[1] <= pair[0] + 1, "{}: {levels:?}", page.name);
        }
    });
}

#[test]
fn pictures_have_words_sizes_and_a_credit() {
    let mut seen = 0;
    all().iter().for_each(|page| {
        for image in page.all("img") {
            seen += 1;
            let name = &page.name;
            assert!(!image.attr("alt").unwrap().is_empty(), "{name}");
            assert!(image.attr("src").unwrap().starts_with("https://"), "{name}");
            let width: u32 = image.attr("width").unwrap().parse().unwrap();
            let height: u32 = image.attr("height").unwrap().parse().unwrap();
            assert!((17..=552).contains(&width) && height > 1, "{name}: {width}x{height}");
            assert_eq!(style(image, "height"), Some("auto"), "{name}");
            let shown = style(image, "width").unwrap();
            assert!(shown == "100%" || shown == format!("{width}px"), "{name}: {shown}");
            assert!(style(image, "font-family").is_some(), "{name}: styled alternative text");
            let parent = ElementRef::wrap(image.parent().unwrap()).unwrap();
            let below = words(parent);
            assert!(below.contains("Foto: ") || below.contains("Photo: "), "{name}: {below}");
        }
    });
    assert!(seen > 60, "the samples have pictures");
}

#[test]
fn a_tiny_picture_is_blown_up_nowhere() {
    for language in Language::ALL {
        for brand in Name::ALL {
            let page = page(Sample::BrokenPictures, brand, language);
            let tiny = page.all("img[width='80']");
            assert_eq!(tiny.len(), 1, "{}", page.name);
            assert_eq!(style(tiny[0], "width"), Some("80px"), "{}", page.name);
            assert_eq!(tiny[0].attr("class"), Some("m"), "a phone leaves it as it is");
            // A file that is wide enough fills the phone's column.
            let usual = crate::page::page(Sample::Usual, brand, language);
            assert!(usual.all("img[width='176']").iter().all(|it| it.attr("class") == Some("g m")));
        }
    }
}

#[test]
fn a_line_of_the_contents_says_its_language() {
    for language in Language::ALL {
        let page = page(Sample::RightToLeft, Name::Town, language);
        assert_eq!(page.all("li a").len(), 5, "{}", page.name);
        let arabic = page.all("li a[lang=ar][dir=rtl]");
        assert!(words(arabic[0]).starts_with("مقهى"), "{}", page.name);
        assert_eq!(page.all("li a[lang=fr][dir=ltr]").len(), 1, "{}", page.name);
        assert_eq!(page.all("li a[lang]").len(), 2, "the mail's own language is not repeated");
    }
}

#[test]
fn a_date_is_written_as_the_mail_writes_it() {
    for language in Language::ALL {
        let page = page(Sample::RightToLeft, Name::Office, language);
        let tag = language.tag();
        let leaf = page.all(&format!("td[lang=ar] table[lang={tag}][dir=ltr]"));
        assert!(words(leaf[0]).starts_with("23"), "{}", page.name);
        let date = page.all(&format!("td[lang=ar] strong[lang={tag}][dir=ltr]"));
        assert!(words(date[0]).contains("November"), "{}", page.name);
    }
}

#[test]
fn links_say_where_they_lead() {
    each(|page| {
        let name = &page.name;
        let mut targets: HashMap<String, String> = HashMap::new();
        for link in page.all("a") {
            let href = link.attr("href").unwrap();
            let text = words(link);
            let known = ["https://", "mailto:", "tel:"];
            assert!(known.iter().any(|start| href.starts_with(start)), "{name}: {href}");
            assert!(!text.is_empty() && !text.starts_with("http"), "{name}: {href}");
            let vague = ["hier", "mehr", "weiterlesen", "here", "more", "read on", "link"];
            assert!(!vague.contains(&text.to_lowercase().as_str()), "{name}: {text}");
            let target = targets.entry(text.clone()).or_insert_with(|| href.to_owned());
            assert_eq!(target, href, "{name}: {text} leads to two places");
            let pressed = style(link, "padding").is_some();
            let decoration = style(link, "text-decoration");
            assert_eq!(decoration, Some(if pressed { "none" } else { "underline" }), "{name}");
            if pressed {
                let cell = ElementRef::wrap(link.parent().unwrap()).unwrap();
                assert!(cell.attr("bgcolor").is_some(), "{name}: a button's cell has its colour");
            }
        }
    });
}

#[test]
fn text_carries_its_style_with_it() {
    each(|page| {
        let name = &page.name;
        for element in page.all("p, h1, h2, h3, li, th, td, a") {
            let own: String = element
                .children()
                .filter_map(|child| child.value().as_text().map(|text| text.to_string()))
                .collect();
            if own.trim().is_empty()
                || element.value().name() == "a" && style(element, "padding").is_none()
            {
                continue;
            }
            for property in ["font-family", "font-size", "line-height", "color"] {
                assert!(style(element, property).is_some(), "{name}: {property} of {own}");
            }
            let size: f64 =
                style(element, "font-size").unwrap().trim_end_matches("px").parse().unwrap();
            assert!(size >= 14.0, "{name}: {size} px");
        }
        for element in page.all("[style]") {
            let style = element.attr("style").unwrap();
            for bad in [
                "!important",
                "rem",
                "vw",
                "var(",
                "float",
                "flex",
                "grid",
                "position",
                "uppercase",
                "justify",
            ] {
                assert!(!style.contains(bad), "{name}: {bad} in {style}");
            }
        }
        let mut ids: Vec<&str> = page.all("[id]").iter().filter_map(|it| it.attr("id")).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: ids are unique");
    });
}

#[test]
fn one_hidden_preheader_comes_first() {
    each(|page| {
        let name = &page.name;
        let hidden = page.all("[style*='display:none']");
        assert_eq!(hidden.len(), 1, "{name}");
        let preheader = words(hidden[0]);
        let length = preheader.chars().count();
        assert!((130..=250).contains(&length), "{name}: {length} characters: {preheader}");
        let body = words(page.all("body")[0]);
        assert!(body.starts_with(&preheader), "{name}");
        assert!(style(hidden[0], "color").is_none(), "{name}: no colour trick");
    });
}

#[test]
fn the_foot_says_who_and_why_and_how_to_leave() {
    each(|page| {
        let name = &page.name;
        let body = words(page.all("body")[0]);
        for word in [
            "Stadt Musterhafen",
            "Rathausplatz 1",
            "12345 Musterhafen",
            "redaktion@musterhafen.example.org",
            "1234 56-0",
        ] {
            assert!(body.contains(word), "{name}: {word}");
            assert!(page.mail.text.contains(word), "{name}: {word} in the text");
        }
        assert!(body.contains("Impressum"), "{name}");
        let links: Vec<String> = page.all("a").iter().map(|link| words(*link)).collect();
        let has = |german: &str, english: &str| {
            links.iter().any(|link| link.contains(german) || link.contains(english))
        };
        assert!(has("Datenschutz", "Privacy"), "{name}");
        assert!(has("Barrierefreiheit", "Accessibility"), "{name}");
        if page.mail.html.contains("unsubscribe-token") {
            assert!(has("abbestellen", "Unsubscribe"), "{name}");
            assert!(has("Im Browser", "View in browser"), "{name}");
            assert!(has("Einstellungen", "preferences"), "{name}");
        }
    });
}

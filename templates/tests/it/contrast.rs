//! Every word of every mail against the ground it stands on, in light and dark.

use std::collections::BTreeSet;

use rundbrief_templates::brand::colour::Colour;
use rundbrief_templates::brand::contrast::{NEEDED, pairs};
use rundbrief_templates::brand::shipped::{self, Name};
use rundbrief_templates::brand::{Brand, Masthead, Palette};
use rundbrief_templates::issue;
use rundbrief_templates::language::Language;
use rundbrief_templates::samples::Sample;
use scraper::ElementRef;

use crate::page::{all, filled, made, slots, style};

/// The colour that a class has in the dark palette.
fn dark(palette: &Palette, class: &str, ground: bool) -> Option<Colour> {
    let colours = [
        ("p", true, palette.page),
        ("s", true, palette.sheet),
        ("n", true, palette.tint),
        ("b", true, palette.band),
        ("u", true, palette.button),
        ("t", false, palette.text),
        ("m", false, palette.muted),
        ("h", false, palette.heading),
        ("l", false, palette.link),
        ("i", false, palette.band_text),
        ("v", false, palette.button_text),
    ];
    let found =
        |(name, is_ground, _): &&(&str, bool, Colour)| *is_ground == ground && *name == class;
    colours.iter().find(found).map(|(_, _, colour)| *colour)
}

/// Light and dark colour of the nearest ancestor that has one.
fn nearest(element: ElementRef<'_>, palette: &Palette, property: &str) -> (Colour, Colour) {
    let chain = std::iter::once(element).chain(element.ancestors().filter_map(ElementRef::wrap));
    for element in chain {
        let Some(light) = style(element, property) else {
            continue;
        };
        let light = Colour::parse(light).expect("styles hold six-digit colours");
        let mut classes = element.attr("class").unwrap_or_default().split(' ');
        let ground = property == "background-color";
        let dark = classes.find_map(|class| dark(palette, class, ground));
        let dark =
            dark.unwrap_or_else(|| panic!("{:?} stays light in the dark", element.attr("style")));
        return (light, dark);
    }
    panic!("no {property} up the tree");
}

#[test]
fn every_word_reads_well_on_its_ground() {
    let mut looked = 0;
    for page in all() {
        let plan = shipped::plan(page.brand);
        for element in page.all("body *") {
            let own = element
                .children()
                .any(|child| child.value().as_text().is_some_and(|text| !text.trim().is_empty()));
            if !own || style(element, "display") == Some("none") {
                continue;
            }
            let words = nearest(element, &plan.dark, "color");
            let ground = nearest(element, &plan.dark, "background-color");
            for (view, words, ground) in [("light", words.0, ground.0), ("dark", words.1, ground.1)]
            {
                let contrast = words.contrast(ground);
                assert!(
                    contrast >= NEEDED,
                    "{}: {words} on {ground} in {view}: {contrast:.2}",
                    page.name
                );
            }
            looked += 1;
        }
    }
    assert!(looked > 2_500, "{looked}");
}

#[test]
fn every_border_and_ground_changes_in_the_dark() {
    for page in all() {
        for element in
            page.all("[style*='border-top:'], [style*='border-bottom:'], [style*='border-left:']")
        {
            let classes = element.attr("class").unwrap_or_default();
            let known = classes.split(' ').any(|class| class == "r" || class == "q");
            assert!(known, "{}: {:?}", page.name, element.attr("style"));
        }
        for element in page.all("[bgcolor]") {
            assert_eq!(
                element.attr("bgcolor"),
                style(element, "background-color"),
                "{}",
                page.name
            );
        }
        for class in ["p", "s", "n", "b", "u", "t", "m", "h", "l", "i", "v", "r", "q"] {
            let rule = format!(".{class}{{");
            assert!(page.mail.html.matches(&rule).count() >= 2, "{}: {class}", page.name);
        }
    }
}

/// A plan whose colours all differ and pass, so that a colour tells its field.
fn told_apart(name: Name, masthead: Masthead) -> (Brand, [(&'static str, Colour); 11]) {
    let mut plan = shipped::plan(name);
    plan.masthead = masthead;
    for palette in [&mut plan.light, &mut plan.dark] {
        palette.band = palette.sheet;
        palette.band_text = palette.text;
    }
    type Field = (&'static str, fn(&mut Palette) -> &mut Colour);
    let fields: [Field; 11] = [
        ("text", |p| &mut p.text),
        ("muted", |p| &mut p.muted),
        ("heading", |p| &mut p.heading),
        ("link", |p| &mut p.link),
        ("band_text", |p| &mut p.band_text),
        ("button_text", |p| &mut p.button_text),
        ("page", |p| &mut p.page),
        ("sheet", |p| &mut p.sheet),
        ("tint", |p| &mut p.tint),
        ("band", |p| &mut p.band),
        ("button", |p| &mut p.button),
    ];
    let colours = std::array::from_fn(|index| {
        let (name, of) = fields[index];
        let old = u32::from_str_radix(&of(&mut plan.light).to_string()[1..], 16);
        let old = old.expect("six digits");
        // The lowest four bits are this field's number: nobody sees it.
        let new = Colour::rgb(old & 0xff_ff_f0 | u32::try_from(index).expect("below eleven"));
        *of(&mut plan.light) = new;
        (name, new)
    });
    (Brand::new(plan).expect("the words of the sheet read well on it"), colours)
}

#[test]
fn every_pair_that_a_masthead_shows_is_looked_at() {
    for name in Name::ALL {
        for masthead in [Masthead::Letterhead, Masthead::Band, Masthead::Centred, Masthead::Title] {
            let (brand, colours) = told_apart(name, masthead);
            let field = |colour| colours.iter().find(|(_, one)| *one == colour).unwrap().0;
            let looked_at = pairs(masthead);
            let language = Language::German;
            let issue = Sample::Usual.issue(language);
            assert!(issue.publication.claim.is_some() && issue.number.is_some());
            let mail = filled(issue::render(&issue, &brand, language, &slots()));
            let page = made(String::new(), name, language, mail);
            let mut seen = BTreeSet::new();
            for element in page.all("body *") {
                let mut texts = element.children().filter_map(|child| child.value().as_text());
                if texts.all(|text| text.trim().is_empty())
                    || style(element, "display") == Some("none")
                {
                    continue;
                }
                let words = nearest(element, &brand.plan().dark, "color").0;
                let ground = nearest(element, &brand.plan().dark, "background-color").0;
                seen.insert((field(words), field(ground)));
            }
            for pair in &seen {
                assert!(looked_at.contains(pair), "{name:?} {masthead:?}: {pair:?}");
            }
            assert!(seen.contains(&("band_text", "band")), "{seen:?}");
            let muted = seen.contains(&("muted", "band"));
            assert_eq!(muted, masthead != Masthead::Band, "{name:?} {masthead:?}: {seen:?}");
        }
    }
}

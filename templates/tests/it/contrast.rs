//! Every word of every mail against the ground it stands on, in light and dark.

use rundbrief_templates::brand::Palette;
use rundbrief_templates::brand::colour::Colour;
use rundbrief_templates::brand::contrast::NEEDED;
use rundbrief_templates::brand::shipped;
use scraper::ElementRef;

use crate::page::{all, style};

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

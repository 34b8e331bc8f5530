//! The readable part of an article's address: `Neue Straße` → `neue-strasse`.
//!
//! A slug is for people; it is not unique. Where two articles of an issue share one, the
//! article's key tells them apart.

use std::fmt;

/// Characters of a slug; longer ones are cut at a word, as mail clients break long addresses.
const LENGTH: usize = 60;

/// Lower-case ASCII letters, digits and single hyphens; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);

impl Slug {
    /// The slug of a title; `artikel` when nothing in it can be spelled.
    pub fn of(title: &str) -> Self {
        let mut slug = String::with_capacity(LENGTH);
        for word in spell(title).split_ascii_whitespace() {
            let next = slug.len() + usize::from(!slug.is_empty()) + word.len();
            if next > LENGTH && !slug.is_empty() {
                break;
            }
            if !slug.is_empty() {
                slug.push('-');
            }
            slug.push_str(&word[..word.len().min(LENGTH)]);
        }
        if slug.is_empty() {
            slug.push_str("artikel");
        }
        Self(slug)
    }

    /// The slug as it stands in an address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// ASCII words: umlauts as Germans spell them, other accents dropped, the rest a space.
fn spell(title: &str) -> String {
    let mut out = String::with_capacity(title.len());
    for c in title.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => out.push(c),
            'ä' | 'æ' => out.push_str("ae"),
            'ö' | 'œ' | 'ø' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            'à'..='å' | 'ą' | 'ă' | 'ā' => out.push('a'),
            'ç' | 'ć' | 'č' => out.push('c'),
            'ď' | 'đ' => out.push('d'),
            'è'..='ë' | 'ę' | 'ě' | 'ē' => out.push('e'),
            'ğ' => out.push('g'),
            'ì'..='ï' | 'ı' | 'ī' => out.push('i'),
            'ł' => out.push('l'),
            'ñ' | 'ń' | 'ň' => out.push('n'),
            'ò'..='õ' | 'ő' => out.push('o'),
            'ř' => out.push('r'),
            'ś' | 'š' | 'ş' | 'ș' => out.push('s'),
            'ť' | 'ţ' | 'ț' => out.push('t'),
            'ù'..='û' | 'ű' | 'ů' | 'ū' => out.push('u'),
            'ý' | 'ÿ' => out.push('y'),
            'ź' | 'ż' | 'ž' => out.push('z'),
            // Joins what belongs together: "Bürger's", soft-hyphenated compounds, combining marks.
            '\'' | '’' | '\u{ad}' | '\u{300}'..='\u{36f}' => {}
            _ => out.push(' '),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Slug;

    #[test]
    fn umlauts_are_spelled_as_germans_do() {
        assert_eq!(Slug::of("Größe & Straßenfest, 2026!").as_str(), "groesse-strassenfest-2026");
        assert_eq!(Slug::of("Café Łódź").as_str(), "cafe-lodz");
    }

    #[test]
    fn a_slug_is_never_empty_and_never_long() {
        assert_eq!(Slug::of("🎉 ***").as_str(), "artikel");
        assert_eq!(Slug::of("مرحبا").as_str(), "artikel");
        let long = Slug::of(&"Quartiersentwicklung ".repeat(10));
        assert_eq!(long.as_str(), "quartiersentwicklung-quartiersentwicklung");
        assert_eq!(Slug::of(&"x".repeat(500)).as_str().len(), 60);
    }
}

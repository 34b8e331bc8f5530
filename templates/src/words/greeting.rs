//! The line that greets a reader, for [`crate::slot::Slot::Salutation`].

use crate::language::Language;

/// The form of address that a reader asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Title {
    /// Frau, Ms.
    Ms,
    /// Herr, Mr.
    Mr,
}

/// Appends "Guten Tag Frau Beispiel,", "Guten Tag Anna Beispiel," or, where no name
/// is known, "Guten Tag,". A form of address needs a family name to go with it.
pub fn greeting(
    language: Language,
    title: Option<Title>,
    given: &str,
    family: &str,
    out: &mut String,
) {
    let word = match (language, title) {
        (Language::German, Some(Title::Ms)) => "Frau",
        (Language::German, Some(Title::Mr)) => "Herr",
        (Language::English, Some(Title::Ms)) => "Ms",
        (Language::English, Some(Title::Mr)) => "Mr",
        (Language::German | Language::English, None) => "",
    };
    let first = if family.is_empty() || word.is_empty() { given } else { word };
    let named = !first.is_empty() || !family.is_empty();
    out.push_str(match language {
        Language::German => "Guten Tag",
        Language::English if named => "Dear",
        Language::English => "Hello",
    });
    for part in [first, family] {
        if !part.is_empty() {
            out.push(' ');
            out.push_str(part);
        }
    }
    out.push(',');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_greeted_by_what_is_known() {
        let say = |language, title, given, family| {
            let mut out = String::new();
            greeting(language, title, given, family, &mut out);
            out
        };
        let (de, en) = (Language::German, Language::English);
        assert_eq!(say(de, Some(Title::Ms), "Anna", "Beispiel"), "Guten Tag Frau Beispiel,");
        assert_eq!(say(de, Some(Title::Mr), "Jan", ""), "Guten Tag Jan,");
        assert_eq!(say(de, None, "Anna", "Beispiel"), "Guten Tag Anna Beispiel,");
        assert_eq!(say(de, None, "", "Beispiel"), "Guten Tag Beispiel,");
        assert_eq!(say(de, Some(Title::Ms), "", ""), "Guten Tag,");
        assert_eq!(say(en, Some(Title::Mr), "Jan", "Muster"), "Dear Mr Muster,");
        assert_eq!(say(en, None, "", ""), "Hello,");
    }
}

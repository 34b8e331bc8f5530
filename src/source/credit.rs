//! Who took a picture: from "Foto: Lena Muster", "© Stadt Musterhafen", "(Bild: privat)" to the
//! name alone.

use crate::source::prose;

/// Characters of a name in a credit.
const NAME: usize = 160;

/// The credit in "Foto: Lena Muster", "© Stadt Musterhafen", "(Bild: privat)"; the whole line.
pub fn name(line: &str) -> Option<String> {
    let line = line.trim().trim_matches(['(', ')', '[', ']']).trim();
    let rest = label(line)?;
    let name = rest.trim_matches(|c: char| {
        c.is_whitespace()
            || matches!(c, ':' | '©' | '(' | ')' | '[' | ']' | '|' | '–' | '-' | ';' | ',')
    });
    let name = name.trim_start_matches("Foto:").trim_start_matches("by ").trim();
    let plain = !name.is_empty()
        && name.chars().count() <= NAME
        && !(name.contains(". ") && prose::sentences(name).len() > 2);
    plain.then(|| name.trim_end_matches('.').trim_end().to_owned())
}

/// What follows the word that announces a credit.
fn label(line: &str) -> Option<&str> {
    const LABELS: &[&str] = &[
        "fotonachweise",
        "fotonachweis",
        "bildnachweise",
        "bildnachweis",
        "bildquellen",
        "bildquelle",
        "fotoquelle",
        "bildrechte",
        "bildautor",
        "bildautorin",
        "fotografie",
        "fotografin",
        "fotograf",
        "fotocredit",
        "fotocredits",
        "fotos und bilder",
        "fotos",
        "foto",
        "bilder",
        "bild",
        "grafik",
        "illustration",
        "copyright",
        "credits",
        "credit",
        "quelle",
        "photos",
        "photographer",
        "photo credit",
        "photo",
        "picture",
        "image",
        "image credit",
        "source",
    ];
    if let Some(rest) = line
        .strip_prefix('©')
        .or_else(|| line.strip_prefix("(c)"))
        .or_else(|| line.strip_prefix("(C)"))
    {
        return Some(rest);
    }
    let lower = line.to_lowercase();
    for label in LABELS {
        if let Some(rest) = lower.strip_prefix(label) {
            // Lower case may have another length in rare scripts; then there is no label.
            let rest = line.get(line.len().checked_sub(rest.len())?..)?;
            let mark = rest.trim_start();
            if mark.starts_with([':', '©', '|']) || (*label == "copyright" && rest.starts_with(' '))
            {
                return Some(mark);
            }
            if let Some(by) = mark.strip_prefix("by ").or_else(|| mark.strip_prefix("von: ")) {
                return Some(by);
            }
        }
    }
    None
}

/// Splits a caption into what it says and who took the picture.
pub fn split(caption: &str) -> (Option<String>, Option<String>) {
    let caption = caption.trim();
    if let Some(name) = name(caption) {
        return (None, Some(name));
    }
    let starts = caption.char_indices().filter(|(at, c)| {
        let fresh = *at > 0 && caption[..*at].ends_with([' ', '(', '[', '|', '/', '.']);
        (fresh && c.is_alphabetic()) || matches!(c, '©' | '(' | '[')
    });
    for (at, _) in starts {
        let tail = &caption[at..];
        if label(tail.trim_start_matches(['(', '['])).is_some()
            && let Some(name) = name(tail)
        {
            let head =
                caption[..at].trim_end_matches([' ', '(', '[', '|', '/', '–', '-', ',', ';']);
            return ((!head.is_empty()).then(|| head.to_owned()), Some(name));
        }
    }
    ((!caption.is_empty()).then(|| caption.to_owned()), None)
}

/// Whether a credit line speaks of all pictures: "Fotos: …", "Bildnachweis: …".
pub fn is_for_all(line: &str) -> bool {
    let line = line.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    ["fotos", "bilder", "bildnachweis", "bildquellen", "fotonachweis", "photos", "credits"]
        .iter()
        .any(|b| line.starts_with(b))
}

#[cfg(test)]
mod tests {
    use super::{name, split};

    #[test]
    fn a_credit_is_a_name() {
        assert_eq!(name("Foto: Lena Muster").as_deref(), Some("Lena Muster"));
        assert_eq!(name("(Fotos: © Stadt Musterhafen)").as_deref(), Some("Stadt Musterhafen"));
        assert_eq!(name("Foto von Minister Lucha"), None);
        assert_eq!(name("Foto: "), None);
        let (caption, by) = split("Die Bürgermeisterin am Hafen (Foto: A. Muster)");
        assert_eq!(
            (caption.as_deref(), by.as_deref()),
            (Some("Die Bürgermeisterin am Hafen"), Some("A. Muster"))
        );
        let (caption, by) = split("Am Hafen. © Stadt / M. Muster");
        assert_eq!(
            (caption.as_deref(), by.as_deref()),
            (Some("Am Hafen."), Some("Stadt / M. Muster"))
        );
        assert_eq!(split("Ein Bild sagt mehr").1, None);
    }
}

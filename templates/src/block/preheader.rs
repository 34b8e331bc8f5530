//! The hidden words that an inbox shows beside the subject.
//!
//! A preview longer than the preheader would go on with whatever comes next
//! ("Guten Tag …"). Runs of invisible filler keep that out elsewhere; here the
//! preheader goes on with headlines, which are worth reading.

/// From here on nothing else comes into the preview of any known inbox, characters.
pub const ENOUGH: usize = 135;
/// No inbox shows more, characters.
pub const MOST: usize = 240;

/// The preheader, followed by as many of the further sentences as are needed.
pub fn filled<'a>(preheader: &str, further: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = preheader.to_owned();
    for sentence in further {
        let length = out.chars().count();
        if length >= ENOUGH {
            break;
        }
        if sentence.is_empty() || out.contains(sentence) {
            continue;
        }
        if !out.is_empty() {
            let ended = out.ends_with(['.', '!', '?', ':', '…', '“', '”']);
            out.push_str(if ended { " " } else { ". " });
        }
        out.push_str(sentence);
    }
    match out.char_indices().nth(MOST) {
        None => out,
        Some((end, _)) => {
            let head = &out[..end];
            let word = head.rfind(' ').map_or(head, |blank| &head[..blank]);
            format!("{word} …")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headlines_follow_until_it_is_long_enough() {
        let short = filled("Kurz", ["Erstens", "Kurz", "Zweitens!", "Drittens"]);
        assert_eq!(short, "Kurz. Erstens. Zweitens! Drittens");
        let long = "Wort ".repeat(28);
        assert_eq!(filled(long.trim(), ["mehr"]), long.trim());
        assert!(filled(&"Wort ".repeat(99), []).chars().count() <= MOST + 2);
    }
}

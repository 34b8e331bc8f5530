//! Makes text and addresses of others fit to be shown.
//!
//! Escaping is not done here: maud escapes what it prints.

use std::borrow::Cow;

/// One line: white space of any kind becomes single blanks, invisible and
/// reordering characters go.
pub fn line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() && !joins(c)) {
        let word: String = word.chars().filter(|c| !unseen(*c)).collect();
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word);
    }
    out
}

/// The same for an optional line; an empty one is none.
pub fn optional(text: Option<&str>) -> Option<String> {
    text.map(line).filter(|line| !line.is_empty())
}

/// Paragraphs, parted by blank lines.
pub fn paragraphs(text: &str) -> Vec<String> {
    let text = text.replace("\r\n", "\n");
    let mut out = vec![String::new()];
    for row in text.lines() {
        if row.trim().is_empty() {
            out.push(String::new());
        } else if let Some(last) = out.last_mut() {
            last.push_str(row);
            last.push('\n');
        }
    }
    let out = out.iter().map(|paragraph| line(paragraph));
    out.filter(|paragraph| !paragraph.is_empty()).collect()
}

/// An address that a mail may link to, or none. What would break a line or an
/// attribute is percent-encoded; a name and a password before the host are left out.
pub fn url(address: &str) -> Option<String> {
    let address = address.trim();
    let lower = address.to_ascii_lowercase();
    let known = ["https://", "http://", "mailto:", "tel:"];
    let rest = known.iter().find_map(|start| lower.strip_prefix(start))?;
    if rest.is_empty() {
        return None;
    }
    Some(encoded(&without_credentials(address)))
}

/// Without what stands before an `@` in front of a host.
fn without_credentials(address: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = address.split_once("://") else { return address.into() };
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]).into(),
        None => address.into(),
    }
}

/// An address that a picture may come from, or none.
pub fn picture(address: &str) -> Option<String> {
    let address = address.trim();
    let lower = address.to_ascii_lowercase();
    let known = ["https://", "http://", "cid:"];
    known.iter().find_map(|start| lower.strip_prefix(start))?;
    Some(encoded(address))
}

fn encoded(address: &str) -> String {
    let mut out = String::with_capacity(address.len());
    for c in address.chars() {
        let odd = c.is_whitespace() || c.is_control() || unseen(c) || !c.is_ascii();
        if odd || "\"'<>`\\^{|}".contains(c) {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

/// Without soft hyphens, for the plain text.
pub fn without_soft_hyphens(text: &str) -> Cow<'_, str> {
    if text.contains('\u{ad}') {
        Cow::Owned(text.replace('\u{ad}', ""))
    } else {
        Cow::Borrowed(text)
    }
}

/// Blanks that hold their neighbours together are kept.
fn joins(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{202f}')
}

/// Control characters, reordering marks (RFC 8264 would refuse them too), zero
/// width blanks, replacement characters and noncharacters. The zero width
/// joiner and the variation selectors stay: emoji are made of them.
fn unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            | '\u{34f}' | '\u{e0000}'..='\u{e0fff}')
        || (u32::from(c) & 0xfffe) == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_breaks_and_no_hidden_characters() {
        assert_eq!(line(" a\r\n b\u{202e}c\u{0}\u{200b} \t d "), "a bc d");
        assert_eq!(line("16\u{a0}Uhr"), "16\u{a0}Uhr");
    }

    #[test]
    fn blank_lines_part_paragraphs() {
        assert_eq!(paragraphs("a\nb\n\n \n c"), ["a b", "c"]);
        assert_eq!(paragraphs("a\r\n\r\nb"), ["a", "b"]);
        assert!(paragraphs(" \n").is_empty());
    }

    #[test]
    fn only_harmless_addresses_are_linked() {
        assert_eq!(url("javascript:alert(1)"), None);
        assert_eq!(url("data:text/html,x"), None);
        assert_eq!(url("https://"), None);
        assert_eq!(
            url("HTTPS://example.org/ü \"x").as_deref(),
            Some("HTTPS://example.org/%C3%BC%20%22x")
        );
        assert_eq!(url("https://a:b@c@example.org/@x").as_deref(), Some("https://example.org/@x"));
        assert_eq!(url("mailto:a@example.org").as_deref(), Some("mailto:a@example.org"));
        assert_eq!(picture("cid:a@example.org").as_deref(), Some("cid:a@example.org"));
        assert_eq!(picture("data:image/png;base64,AA"), None);
    }
}

//! Gets the good entries out of a feed that is broken as a whole: cuts it at its entries and
//! offers each alone, first as it is, then with the usual mistakes mended.

/// One entry cut out of a feed, in a feed of its own.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// The line the entry begins at, from 1.
    pub line: usize,
    /// A whole feed with this entry alone.
    pub feed: String,
}

/// Namespaces feeds use without declaring them where they are cut.
const NAMESPACES: &str = "xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\"";

/// The entries of an XML feed.
pub fn xml(text: &str) -> Vec<Piece> {
    let atom = start_of(text, "entry", 0).is_some() && start_of(text, "item", 0).is_none();
    let name = if atom { "entry" } else { "item" };
    let root = if atom { "feed" } else { "rss" };
    let rdf = text.contains("<rdf:RDF");
    let (open, close) = match (atom, rdf) {
        (true, _) => {
            (root_tag(text, root, "<feed xmlns=\"http://www.w3.org/2005/Atom\">"), "</feed>")
        }
        (false, true) => (root_tag(text, "rdf:RDF", "<rdf:RDF>"), "</rdf:RDF>"),
        (false, false) => (
            root_tag(text, root, &format!("<rss version=\"2.0\" {NAMESPACES}>")) + "<channel>",
            "</channel></rss>",
        ),
    };
    let mut pieces = Vec::new();
    let mut from = 0;
    while let Some(start) = start_of(text, name, from) {
        let next = start_of(text, name, start + 1).unwrap_or(text.len());
        let end_tag = format!("</{name}>");
        let end = text[start..next].rfind(&end_tag).map_or(next, |end| start + end + end_tag.len());
        let line = 1 + text[..start].matches('\n').count();
        pieces.push(Piece { line, feed: format!("{open}{}{close}", &text[start..end]) });
        from = next;
    }
    pieces
}

/// Where the next element of a name begins.
fn start_of(text: &str, name: &str, from: usize) -> Option<usize> {
    let tag = format!("<{name}");
    text.get(from..)?.match_indices(&tag).map(|(at, _)| from + at).find(|at| {
        let after = text[at + tag.len()..].chars().next();
        after.is_some_and(|c| c == '>' || c.is_whitespace())
    })
}

/// The feed's own first tag, for its namespaces; the given one where it has none.
fn root_tag(text: &str, name: &str, else_: &str) -> String {
    let own = start_of(text, name, 0).and_then(|start| {
        let end = text[start..].find('>')?;
        let tag = &text[start..=start + end];
        (!tag[1..].contains('<') && !tag.ends_with("/>")).then(|| tag.to_owned())
    });
    own.unwrap_or_else(|| else_.to_owned())
}

/// The entries of a JSON feed, each as a feed with it alone; and where it cannot be read.
pub fn json(text: &str) -> (Vec<Piece>, Vec<(usize, String)>) {
    let mut pieces = Vec::new();
    let mut faults = Vec::new();
    let line = |at: usize| 1 + text[..at].matches('\n').count();
    let Some(mut at) =
        text.find("\"items\"").and_then(|at| text[at..].find('[').map(|open| at + open + 1))
    else {
        return (pieces, faults);
    };
    loop {
        at += text[at..].len() - text[at..].trim_start_matches([',', ' ', '\n', '\r', '\t']).len();
        if !text[at..].starts_with('{') {
            return (pieces, faults);
        }
        let mut values =
            serde_json::Deserializer::from_str(&text[at..]).into_iter::<serde_json::Value>();
        match values.next() {
            Some(Ok(mut value)) => {
                name(&mut value);
                let feed = serde_json::json!({ "version": "https://jsonfeed.org/version/1.1", "title": "", "items": [value] });
                pieces.push(Piece { line: line(at), feed: feed.to_string() });
                at += values.byte_offset();
            }
            Some(Err(error)) => {
                faults.push((line(at) + error.line().saturating_sub(1), error.to_string()));
                match next_object(&text[at + 1..]) {
                    Some(next) => at += 1 + next,
                    None => return (pieces, faults),
                }
            }
            None => return (pieces, faults),
        }
    }
}

/// A JSON feed whose entries are numbered: JSON Feed 1.1 says that a number is to be read as its
/// text. `None` where nothing is numbered.
pub fn named(text: &str) -> Option<String> {
    let mut feed: serde_json::Value = serde_json::from_str(text).ok()?;
    let entries = feed.get_mut("items")?.as_array_mut()?;
    let numbered = entries.iter_mut().map(name).filter(|numbered| *numbered).count();
    (numbered > 0).then(|| feed.to_string())
}

/// Writes an entry's number as text; whether it had one.
fn name(entry: &mut serde_json::Value) -> bool {
    match entry.get_mut("id") {
        Some(id) if id.is_number() => {
            *id = serde_json::Value::String(id.to_string());
            true
        }
        Some(_) | None => false,
    }
}

/// The next `{` that follows a closed object and a comma.
fn next_object(text: &str) -> Option<usize> {
    text.match_indices('}').find_map(|(at, _)| {
        let rest = text[at + 1..].trim_start();
        let rest = rest.strip_prefix(',')?.trim_start();
        rest.starts_with('{').then(|| text.len() - rest.len())
    })
}

/// The text with the usual mistakes mended: bare ampersands, HTML's entities, control characters.
pub fn mend(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(at) = rest.find([
        '&', '\u{0}', '\u{1}', '\u{2}', '\u{3}', '\u{4}', '\u{5}', '\u{6}', '\u{7}', '\u{8}',
        '\u{b}', '\u{c}', '\u{e}', '\u{f}', '\u{10}', '\u{11}', '\u{12}', '\u{13}', '\u{14}',
        '\u{15}', '\u{16}', '\u{17}', '\u{18}', '\u{19}', '\u{1a}', '\u{1b}', '\u{1c}', '\u{1d}',
        '\u{1e}', '\u{1f}',
    ]) {
        out.push_str(&rest[..at]);
        if !rest[at..].starts_with('&') {
            rest = &rest[at + 1..];
            continue;
        }
        let name = rest[at + 1..].split([';', ' ', '<', '&']).next().unwrap_or("");
        let closed = rest[at + 1 + name.len()..].starts_with(';');
        let known = matches!(name, "amp" | "lt" | "gt" | "quot" | "apos") || name.starts_with('#');
        match closed.then(|| entity(name)).flatten() {
            Some(character) => {
                out.push_str(character);
                rest = &rest[at + name.len() + 2..];
            }
            None => {
                out.push_str(if closed && known { "&" } else { "&amp;" });
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// The entities of HTML that feeds use as if XML knew them.
fn entity(name: &str) -> Option<&'static str> {
    Some(match name {
        "nbsp" => "\u{a0}",
        "auml" => "ä",
        "ouml" => "ö",
        "uuml" => "ü",
        "Auml" => "Ä",
        "Ouml" => "Ö",
        "Uuml" => "Ü",
        "szlig" => "ß",
        "ndash" => "–",
        "mdash" => "—",
        "bdquo" => "„",
        "ldquo" => "“",
        "rdquo" => "”",
        "lsquo" => "‘",
        "rsquo" => "’",
        "sbquo" => "‚",
        "laquo" => "«",
        "raquo" => "»",
        "hellip" => "…",
        "eacute" => "é",
        "egrave" => "è",
        "copy" => "©",
        "euro" => "€",
        "shy" => "\u{ad}",
        "middot" => "·",
        "bull" => "•",
        _ => return None,
    })
}

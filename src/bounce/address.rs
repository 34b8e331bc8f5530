//! Addresses in what mail systems write: in fields of a report, in running text,
//! in the headers of the returned mail. Spelling is kept; comparing folds case.
//!
//! These are claims of a stranger, not addresses of the house: the strict reading
//! of an address lives in the crate `subscribers`.

/// The longest address that is believed, in bytes (RFC 5321 section 4.5.3.1, with room).
const MAX_ADDRESS: usize = 320;

/// An address found in a text, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The first byte.
    pub at: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// Every address in a text, in order.
pub fn find_all(text: &str) -> Vec<Found> {
    let bytes = text.as_bytes();
    let mut found: Vec<Found> = Vec::new();
    for sign in memchr::memchr_iter(b'@', bytes) {
        let floor = found.last().map_or(0, |f| f.end);
        if let Some(one) = around(text, sign, floor)
            && one.end - one.at <= MAX_ADDRESS
        {
            found.push(one);
        }
    }
    found
}

/// The address around an `@`, or nothing.
fn around(text: &str, sign: usize, floor: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut at = sign;
    if sign > floor && bytes[sign - 1] == b'"' {
        // A quoted local part.
        let open = memchr::memrchr(b'"', &bytes[floor..sign - 1])?;
        at = floor + open;
    } else {
        while at > floor && sign - at < 256 && is_local(bytes[at - 1]) {
            at -= 1;
        }
        while !text.is_char_boundary(at) {
            at += 1;
        }
        let around = text[at..sign].char_indices().rfind(|(_, c)| is_around(*c));
        at += around.map_or(0, |(before, c)| before + c.len_utf8());
        while at < sign
            && matches!(bytes[at], b'\'' | b'*' | b'-' | b'=' | b'.' | b'`' | b'|' | b'/')
        {
            at += 1;
        }
    }
    let mut end = sign + 1;
    if bytes.get(end) == Some(&b'[') {
        end += memchr::memchr(b']', &bytes[end..bytes.len().min(end + 50)])? + 1;
        return (at < sign).then_some(Found { at, end });
    }
    while end < bytes.len() && end - sign < 255 && is_domain(bytes[end]) {
        end += 1;
    }
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end = text[sign + 1..end].find(is_around).map_or(end, |at| sign + 1 + at);
    while end > sign + 1 && matches!(bytes[end - 1], b'.' | b'-' | b'_') {
        end -= 1;
    }
    let domain = &text[sign + 1..end];
    let last = domain.rsplit('.').next().unwrap_or("");
    let enclosed = at > 0 && bytes[at - 1] == b'<' && bytes.get(end) == Some(&b'>');
    let plausible = domain.contains('.') && last.len() >= 2 && !last.as_bytes()[0].is_ascii_digit();
    (at < sign && !domain.is_empty() && (plausible || enclosed)).then_some(Found { at, end })
}

const fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || byte >= 0x80
        || matches!(
            byte,
            b'.' | b'!'
                | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

const fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'.' | b'-' | b'_')
}

/// The quotes, blanks and brackets of other scripts, and what marks a broken letter: they
/// stand around an address, never in it.
const fn is_around(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{bf}'
            | '\u{2000}'..='\u{206f}'
            | '\u{3000}'..='\u{3020}'
            | '\u{ff00}'..='\u{ff0f}'
            | '\u{ff1a}'..='\u{ff20}'
            | '\u{ff3b}'..='\u{ff40}'
            | '\u{ff5b}'..='\u{ff65}'
            | '\u{feff}'
            | '\u{fffd}'
    )
}

/// The address in a typed field of a report (`rfc822; user@example.org`), or
/// nothing if there is none in it (`system;<>`).
pub fn of_field(value: &str) -> Option<String> {
    let value = match value.split_once(';') {
        // A semicolon within quotes belongs to the address.
        Some((kind, rest)) if !kind.contains(['"', '@']) => rest,
        _ => value,
    };
    let mut value = value.trim();
    if let Some(open) = value.rfind('<')
        && let Some(close) = value[open..].find('>')
    {
        value = &value[open + 1..open + close];
    }
    let value = value
        .split_once(" (")
        .map_or(value, |(address, _)| address)
        .trim()
        .trim_matches(['<', '>', '\''])
        .trim();
    // Some systems write `SMTP:user@example.org` or a host's own spelling of it.
    let value = value
        .get(..5)
        .filter(|kind| kind.eq_ignore_ascii_case("smtp:"))
        .map_or(value, |_| &value[5..]);
    let sign = value.rfind('@')?;
    let whole = sign > 0
        && sign + 1 < value.len()
        && value.len() <= MAX_ADDRESS
        && !value[sign..].contains(char::is_whitespace)
        && (value.starts_with('"') || !value[..sign].contains(char::is_whitespace));
    if whole {
        return Some(value.to_owned());
    }
    let found = find_all(value).into_iter().next()?;
    Some(value[found.at..found.end].to_owned())
}

/// Undoes xtext (RFC 3461 section 4): `+2B` is a plus sign, `+3D` an equals sign.
pub fn unxtext(address: String) -> String {
    if address.contains("+2B") || address.contains("+3D") {
        address.replace("+2B", "+").replace("+3D", "=")
    } else {
        address
    }
}

/// Whether two spellings are one address as far as a bounce can tell.
pub fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether the mailbox is a function and no person: it writes bounces, and a
/// notice that names it means "ask there".
pub fn is_function(address: &str) -> bool {
    const FUNCTIONS: [&str; 16] = [
        "postmaster",
        "post_master",
        "mailer-daemon",
        "mailerdaemon",
        "mail-daemon",
        "mdaemon",
        "abuse",
        "hostmaster",
        "helpdesk",
        "support",
        "noreply",
        "no-reply",
        "unblock",
        "removeme",
        "delist",
        "security",
    ];
    let local = address.split('@').next().unwrap_or("");
    FUNCTIONS.iter().any(|f| local.eq_ignore_ascii_case(f))
}

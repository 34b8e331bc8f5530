//! What every template returns.

/// A finished mail, apart from its slots and its headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line, without control characters; not yet encoded for a header.
    pub subject: String,
    /// The plain text: `format=flowed` (RFC 3676) with `DelSp=no`, at most 72
    /// columns where words allow it, space-stuffed, lines end in `\n`.
    pub text: String,
    /// The whole HTML document.
    pub html: String,
}

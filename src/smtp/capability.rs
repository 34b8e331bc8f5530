//! What a server offers, from its answer to EHLO (RFC 5321, section 4.1.1.1). Pure.

use super::reply::Reply;

/// The extensions we use and their parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// Commands may be written without waiting for replies (RFC 2920).
    pub pipelining: bool,
    /// BDAT (RFC 3030).
    pub chunking: bool,
    /// Bytes above 127 in the body (RFC 6152).
    pub eight_bit: bool,
    /// Addresses and headers in UTF-8 (RFC 6531).
    pub utf8: bool,
    /// ENVID, RET, NOTIFY, ORCPT (RFC 3461).
    pub dsn: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// SIZE (RFC 1870): announced, with the limit in bytes when there is one.
    pub size: Option<Option<u64>>,
    /// AUTH PLAIN.
    pub plain: bool,
    /// AUTH LOGIN.
    pub login: bool,
    /// AUTH XOAUTH2.
    pub xoauth2: bool,
}

impl Capability {
    /// Reads a positive reply to EHLO; its first line is the server's name.
    pub fn read(reply: &Reply) -> Capability {
        let mut found = Capability::default();
        for line in reply.lines().skip(1) {
            let line = line.to_ascii_uppercase();
            // Old servers write AUTH=LOGIN beside AUTH LOGIN.
            let mut words = line.split([' ', '=', '\t']).filter(|word| !word.is_empty());
            match words.next().unwrap_or_default() {
                "PIPELINING" => found.pipelining = true,
                "CHUNKING" => found.chunking = true,
                "8BITMIME" => found.eight_bit = true,
                "SMTPUTF8" => found.utf8 = true,
                "DSN" => found.dsn = true,
                "STARTTLS" => found.starttls = true,
                "SIZE" => {
                    let limit = words.next().and_then(|word| word.parse().ok());
                    found.size = Some(limit.filter(|bytes| *bytes > 0));
                }
                "AUTH" => {
                    for word in words {
                        match word {
                            "PLAIN" => found.plain = true,
                            "LOGIN" => found.login = true,
                            "XOAUTH2" => found.xoauth2 = true,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_read_whatever_their_case() {
        let reply = Reply::new(
            250,
            "mx.example.org\nPipelining\nSIZE 35882577\n8BITMIME\nAUTH PLAIN LOGIN\nAUTH=XOAUTH2\nDSN\nX-ODD",
        );
        assert_eq!(
            Capability::read(&reply),
            Capability {
                pipelining: true,
                eight_bit: true,
                dsn: true,
                size: Some(Some(35_882_577)),
                plain: true,
                login: true,
                xoauth2: true,
                ..Capability::default()
            }
        );
    }

    #[test]
    fn a_size_of_nothing_is_no_limit_and_the_name_is_no_keyword() {
        assert_eq!(Capability::read(&Reply::new(250, "x\nSIZE 0")).size, Some(None));
        assert_eq!(Capability::read(&Reply::new(250, "x\nSIZE")).size, Some(None));
        assert_eq!(Capability::read(&Reply::new(250, "STARTTLS")), Capability::default());
    }
}

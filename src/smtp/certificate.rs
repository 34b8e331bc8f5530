//! Reads subject, issuer and dates of a refused certificate, so that the message
//! can name them. It explains; it decides nothing about trust.

/// What a person needs to see of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The subject's names, in the order they stand there.
    pub subject: String,
    /// The issuer's names.
    pub issuer: String,
    /// First moment of validity, `YYYY-MM-DD`.
    pub not_before: String,
    /// Last moment of validity, `YYYY-MM-DD`.
    pub not_after: String,
}

/// Reads the few fields from DER (RFC 5280, section 4.1); none if it is not a certificate.
pub fn summary(der: &[u8]) -> Option<Summary> {
    let (_, certificate, _) = element(der)?;
    let (_, body, _) = element(certificate)?;
    let mut rest = body;
    if body.first() == Some(&0xa0) {
        rest = element(rest)?.2; // version
    }
    rest = element(rest)?.2; // serial number
    rest = element(rest)?.2; // signature algorithm
    let (_, issuer, rest) = element(rest)?;
    let (_, validity, rest) = element(rest)?;
    let (_, subject, _) = element(rest)?;
    let (tag, not_before, after) = element(validity)?;
    let not_before = date(tag, not_before)?;
    let (tag, not_after, _) = element(after)?;
    Some(Summary {
        subject: names(subject),
        issuer: names(issuer),
        not_before,
        not_after: date(tag, not_after)?,
    })
}

/// One element: its tag, its content, what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, length, rest @ ..] = der else {
        return None;
    };
    let (length, rest) = if *length < 0x80 {
        (usize::from(*length), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        (length, rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// The printable values of a distinguished name.
fn names(mut name: &[u8]) -> String {
    let mut found = Vec::new();
    while let Some((_, set, rest)) = element(name) {
        name = rest;
        let value = element(set)
            .and_then(|(_, pair, _)| element(pair))
            .and_then(|(_, _, after)| element(after));
        if let Some((_, value, _)) = value {
            found.push(super::reply::tame(&String::from_utf8_lossy(value)));
        }
    }
    found.join(", ")
}

/// `YYMMDD…` (tag 23) or `YYYYMMDD…` (tag 24) as `YYYY-MM-DD`.
fn date(tag: u8, text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let full = match tag {
        23 if text.get(..2)? < "50" => format!("20{text}"),
        23 => format!("19{text}"),
        24 => text.to_owned(),
        _ => return None,
    };
    Some(format!("{}-{}-{}", full.get(..4)?, full.get(4..6)?, full.get(6..8)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_certificate_names_itself() {
        let mut params = rcgen::CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "mx.example.org");
        params.not_before = rcgen::date_time_ymd(2024, 2, 3);
        params.not_after = rcgen::date_time_ymd(2051, 4, 5);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let found = summary(certificate.der()).unwrap();
        assert!(found.subject.contains("mx.example.org"), "{found:?}");
        assert_eq!(found.not_before, "2024-02-03");
        assert_eq!(found.not_after, "2051-04-05");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = summary(&bytes);
        }
    }
}

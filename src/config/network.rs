//! Addresses of the network as the configuration knows them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rundbrief_subscribers::address::EmailAddress;
use serde::{Deserialize, Deserializer, de};
use url::Url;

/// Longest local part that leaves room for a plus and a token of 32 (RFC 5321: 64 in all).
const LONGEST_LOCAL: usize = 64 - 33;

/// Reads a domain name, as an A-label.
///
/// # Errors
/// It is none.
pub fn domain<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    match EmailAddress::parse(&format!("x@{text}")) {
        Ok(address) => Ok(address.domain().to_owned()),
        Err(error) => Err(de::Error::custom(format!(
            "{text:?} is no domain: {error}; allowed: a name such as \"news.example.de\""
        ))),
    }
}

/// Reads a mailbox of ours, to whose local part `+TOKEN` can be added.
///
/// # Errors
/// It is no address, or has no room for a token.
pub fn mailbox<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let allowed = "allowed: an address such as \"bounce@news.example.de\"";
    match EmailAddress::parse(&text) {
        Ok(address) if address.local().len() > LONGEST_LOCAL => Err(de::Error::custom(format!(
            "{text:?}: more than {LONGEST_LOCAL} characters before the @ leave no room for a token"
        ))),
        Ok(address) if address.needs_smtputf8() || address.local().starts_with('"') => {
            Err(de::Error::custom(format!("{text:?} takes no token; {allowed}")))
        }
        Ok(address) => Ok(address.as_str().to_owned()),
        Err(error) => Err(de::Error::custom(format!("{text:?}: {error}; {allowed}"))),
    }
}

/// Reads a mailbox that may be left out.
///
/// # Errors
/// As [`mailbox`].
pub fn optional_mailbox<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    mailbox(from).map(Some)
}

/// The address readers know: `https://HOST`, no path, no trailing slash.
/// Plain http is allowed on loopback only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress(String);

impl PublicAddress {
    /// `https://news.example.de`, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PublicAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = "allowed: https://HOST, or http:// on loopback for trying it out";
        let url = Url::parse(text).map_err(|error| format!("{text:?}: {error}; {allowed}"))?;
        let loopback = match url.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(format!("{text:?}: {allowed}"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{text:?} has a path; {allowed}"));
        }
        Ok(PublicAddress(text.trim_end_matches('/').to_owned()))
    }
}

impl<'de> Deserialize<'de> for PublicAddress {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// Whether a host is this machine: `localhost`, or a number of loopback.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange {
    base: IpAddr,
    bits: u8,
}

impl IpRange {
    /// Whether the address lies in it. IPv4 addresses in IPv6 dress count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                base.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for IpRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no range; allowed: 10.0.0.0/8, fd00::/8, 127.0.0.1");
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| fault())?)),
            None => (text, None),
        };
        let base = base.parse::<IpAddr>().map_err(|_| fault())?;
        let widest = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(widest);
        if bits > widest {
            return Err(fault());
        }
        Ok(IpRange { base, bits })
    }
}

impl<'de> Deserialize<'de> for IpRange {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_and_no_others() {
        let range: IpRange = "10.1.0.0/16".parse().unwrap();
        assert!(range.contains("10.1.255.3".parse().unwrap()));
        assert!(range.contains("::ffff:10.1.0.9".parse().unwrap()));
        assert!(!range.contains("10.2.0.1".parse().unwrap()));
        let all: IpRange = "0.0.0.0/0".parse().unwrap();
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<IpRange>().is_err());
    }

    #[test]
    fn the_public_address_is_https_or_loopback() {
        assert_eq!(
            "https://a.example/".parse::<PublicAddress>().unwrap().as_str(),
            "https://a.example"
        );
        assert!("http://127.0.0.1:8025".parse::<PublicAddress>().is_ok());
        assert!("http://a.example".parse::<PublicAddress>().is_err());
        assert!("https://a.example/news".parse::<PublicAddress>().is_err());
    }
}

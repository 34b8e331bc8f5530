//! Which addresses of the network may be spoken to: public ones, and the operator's ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use crate::config::network::IpRange;

/// Public addresses and the ranges the operator lists (`fetch.allow`).
#[derive(Debug, Clone, Default)]
pub struct Reach {
    allow: Vec<IpRange>,
}

impl Reach {
    /// Public addresses and these.
    pub fn new(allow: Vec<IpRange>) -> Self {
        Self { allow }
    }

    /// Whether a connection to the address may be made.
    pub fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.allow.iter().any(|range| range.contains(address))
    }
}

/// Whether the address is one of the public internet (IANA's special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Why no reader reaches an address, as far as can be said without asking.
pub fn hidden(url: &Url) -> Option<&'static str> {
    let number = |ip: IpAddr| match is_public(ip) {
        true => "a number instead of a name",
        false => "an address of a private network",
    };
    match url.host()? {
        Host::Ipv4(ip) => Some(number(ip.into())),
        Host::Ipv6(ip) => Some(number(ip.into())),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let inner = [".local", ".localhost", ".internal", ".intranet", ".lan", ".home.arpa"];
            let inner = inner.iter().any(|end| name.ends_with(end));
            (inner || !name.contains('.')).then_some("a name that only a private network knows")
        }
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = a == 0
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b))
        || a >= 240;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, .., g, h] = address.segments();
    let inner = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        // NAT64 and 6to4 carry an IPv4 address, which decides.
        (0x64, 0xff9b) => address.segments()[2..6] == [0; 4] && is_public_v4(inner(g, h)),
        (0x2002, high) => is_public_v4(inner(high, address.segments()[2])),
        (0x2001, 0..=0x1ff) | (0x2001, 0xdb8) | (0x3fff, 0..=0xfff) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reach, is_public};

    #[test]
    fn what_is_not_public_is_refused() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "224.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "193.0.6.139",
            "2606:4700::1111",
            "2a00:1450::1",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_operator_opens_a_range() {
        let reach = Reach::new(vec!["10.20.0.0/16".parse().unwrap()]);
        assert!(reach.allows("10.20.3.4".parse().unwrap()));
        assert!(!reach.allows("10.21.3.4".parse().unwrap()));
    }
}

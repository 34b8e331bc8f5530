//! Who publishes: what the foot of every mail says.

use serde::{Deserialize, Serialize};

/// A newsletter as its readers know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// Name of the newsletter, as in "Newsletter Musterhafen".
    pub name: String,
    /// A line below the name in the masthead, as in "Neues aus Rathaus und Quartieren".
    #[serde(default)]
    pub claim: Option<String>,
    /// Web site of the publisher.
    #[serde(default)]
    pub home_url: Option<String>,
    /// Address of the privacy notice.
    pub privacy_url: String,
    /// Address of the accessibility statement.
    #[serde(default)]
    pub accessibility_url: Option<String>,
    /// Who answers for it.
    pub imprint: Imprint,
}

/// What § 5 DDG and § 18 MStV ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Imprint {
    /// Name of the publisher with its legal form, as in "Stadt Musterhafen".
    pub name: String,
    /// Who represents it, as in "Oberbürgermeisterin Dr. Jana Muster".
    pub representative: String,
    /// Street and number.
    pub street: String,
    /// Postal code and place, as in "12345 Musterhafen".
    pub place: String,
    /// Country, where readers live abroad.
    pub country: Option<String>,
    /// A mailbox that somebody reads.
    pub email: String,
    /// The second fast way to reach the publisher.
    pub phone: String,
    /// Person responsible for the content (§ 18 MStV).
    pub responsible: Option<String>,
    /// Supervisory authority, where there is one.
    pub authority: Option<String>,
    /// Register and number, where there is one.
    pub register: Option<String>,
    /// VAT identification number, where there is one.
    pub vat_id: Option<String>,
}

impl Imprint {
    /// The mandatory fields that are empty, by the names they have here.
    pub fn missing(&self) -> Vec<&'static str> {
        let fields = [
            ("name", &self.name),
            ("representative", &self.representative),
            ("street", &self.street),
            ("place", &self.place),
            ("email", &self.email),
            ("phone", &self.phone),
        ];
        fields
            .into_iter()
            .filter(|(_, value)| value.trim().is_empty())
            .map(|(name, _)| name)
            .collect()
    }
}

/// Digits and a leading plus, as `tel:` wants them (RFC 3966).
pub fn dialled(phone: &str) -> String {
    let mut out = String::new();
    for c in phone.replace("(0)", "").chars() {
        if c.is_ascii_digit() || (c == '+' && out.is_empty()) {
            out.push(c);
        }
    }
    out
}

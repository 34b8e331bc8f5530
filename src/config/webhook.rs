//! One endpoint for a provider's events.

use serde::Deserialize;

use super::secret::Secret;
use crate::webhook::Provider;

/// `[bounce.webhook.NAME]`: the provider calls `WEB-ADDRESS/webhook/NAME`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Webhook {
    /// Whose events come here.
    pub provider: Provider,
    /// What the provider signs with or sends along; none for `ses`.
    pub secret: Option<Secret>,
    /// Topics of SNS that are believed; for `ses` only.
    pub topics: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    provider: Provider,
    secret: Option<Secret>,
    #[serde(default)]
    topics: Vec<String>,
}

impl TryFrom<Fields> for Webhook {
    type Error = String;

    fn try_from(f: Fields) -> Result<Self, String> {
        match (f.provider, &f.secret, f.topics.is_empty()) {
            (Provider::Ses, None, false) => {}
            (Provider::Ses, ..) => {
                return Err("ses needs topics = [\"arn:aws:sns:…\"] and no secret: SNS signs with a certificate of its own".into());
            }
            (_, Some(_), true) => {}
            (_, None, _) => {
                return Err("add secret = { credential = \"NAME\" } or { file = \"PATH\" }".into());
            }
            (_, _, false) => return Err("topics are for provider = \"ses\" only".into()),
        }
        if let Some(wrong) = f.topics.iter().find(|topic| !topic.starts_with("arn:aws")) {
            return Err(format!("{wrong:?} is no topic; allowed: arn:aws:sns:REGION:ACCOUNT:NAME"));
        }
        Ok(Webhook { provider: f.provider, secret: f.secret, topics: f.topics })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        toml::from_str::<Webhook>(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn each_provider_names_what_proves_it() {
        let good: Webhook =
            toml::from_str("provider = \"postmark\"\nsecret = { file = \"x\" }").unwrap();
        assert_eq!(good.provider, Provider::Postmark);
        assert!(fault("provider = \"postmark\"").contains("secret = "));
        assert!(fault("provider = \"ses\"\nsecret = { file = \"x\" }").contains("topics"));
        assert!(fault("provider = \"ses\"\ntopics = [\"x\"]").contains("is no topic"));
        assert!(fault("provider = \"nobody\"").contains("sendgrid"));
    }
}

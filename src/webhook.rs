//! What providers send over the web: bounces, complaints and delays as events.
//!
//! Each provider has a file that knows its form and its proof. This one knows
//! which is whose: a request is first believed ([`Webhook::verify`]), over the
//! bytes as they came, then read ([`Webhook::read`]). Both are pure; storing and
//! the certificate of SNS are in [`door`].

pub mod azure;
pub mod brevo;
pub mod certificate;
pub mod door;
pub mod event;
pub mod field;
pub mod generic;
pub mod kumomta;
pub mod mailersend;
pub mod mailgun;
pub mod mailjet;
pub mod mailtrap;
pub mod postal;
pub mod postmark;
pub mod proof;
pub mod resend;
pub mod sendgrid;
pub mod ses;
pub mod sparkpost;

use std::fmt;

use anyhow::{Context as _, bail};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::config;
use crate::store::value::Millis;
use crate::words;
use event::Event;
use proof::{Refusal, Request};

words! {
    /// Whose events these are.
    Provider {
        /// Amazon SES by SNS.
        Ses = "ses",
        /// Twilio SendGrid.
        Sendgrid = "sendgrid",
        /// Sinch Mailgun.
        Mailgun = "mailgun",
        /// Postmark.
        Postmark = "postmark",
        /// Brevo, once Sendinblue.
        Brevo = "brevo",
        /// Sinch Mailjet.
        Mailjet = "mailjet",
        /// Bird, once SparkPost.
        Sparkpost = "sparkpost",
        /// Resend.
        Resend = "resend",
        /// Mailtrap.
        Mailtrap = "mailtrap",
        /// MailerSend.
        Mailersend = "mailersend",
        /// Azure Communication Services by Event Grid.
        Azure = "azure",
        /// KumoMTA's log hooks.
        Kumomta = "kumomta",
        /// Postal.
        Postal = "postal",
        /// Any system that signs as [`generic`] says.
        Generic = "generic",
    }
}

/// One endpoint: its name, whose it is, and what proves a request.
pub struct Webhook {
    /// The last part of its address.
    pub name: String,
    /// Whose events come here.
    pub provider: Provider,
    proof: Proof,
}

/// What proves a request.
enum Proof {
    /// A keyed hash.
    Keyed(Box<hmac::Key>),
    /// A public key in DER.
    Public(Vec<u8>),
    /// A password or token that the request carries.
    Carried(Vec<u8>),
    /// Topics of SNS; the key comes with the certificate.
    Topics(Vec<String>),
}

/// Shows no secret.
impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({}, {})", self.name, self.provider)
    }
}

/// A request that is believed.
#[derive(Debug, PartialEq)]
pub enum Proven {
    /// Events to store. The token, where there is one, is taken once.
    Events(Value, Option<String>),
    /// A mail that came back, whole.
    Mail,
    /// The provider's own, and not in its form.
    Unreadable,
    /// The provider asks whether we want its events; the text is the answer.
    Validation(String),
    /// SNS asks; this address is to be called.
    Confirm(url::Url),
}

impl Webhook {
    /// Reads the secret and makes a key of it.
    ///
    /// # Errors
    /// The secret cannot be read or has not the form that the provider gives it.
    pub fn open(name: &str, from: &config::webhook::Webhook) -> anyhow::Result<Webhook> {
        let proof = open_proof(from).with_context(|| format!("bounce.webhook.{name}"))?;
        Ok(Webhook { name: name.to_owned(), provider: from.provider, proof })
    }

    /// The certificate that SES's envelope is signed with, to be fetched before
    /// [`Webhook::verify`]; nothing for all others.
    ///
    /// # Errors
    /// The envelope is no JSON, its topic is not listed, or its certificate lies elsewhere.
    pub fn certificate(&self, request: &Request<'_>) -> Result<Option<url::Url>, Refusal> {
        let Proof::Topics(topics) = &self.proof else { return Ok(None) };
        let envelope = json(request.body)?;
        ses::check_topic(&envelope, topics)?;
        ses::certificate_address(&envelope).map(Some)
    }

    /// Whether the request is the provider's own, and what it wants.
    ///
    /// `certificate` is the public key that [`Webhook::certificate`] asked for.
    ///
    /// # Errors
    /// Says what is missing or does not fit.
    pub fn verify(
        &self,
        request: &Request<'_>,
        certificate: Option<&[u8]>,
        now: Millis,
    ) -> Result<Proven, Refusal> {
        match (self.provider, &self.proof) {
            (Provider::Ses, Proof::Topics(topics)) => {
                let envelope = json(request.body)?;
                let key = certificate.ok_or(Refusal::Missing("certificate"))?;
                return Ok(match ses::verify(&envelope, topics, key, now)? {
                    ses::Envelope::Notification => Proven::Events(envelope, None),
                    ses::Envelope::Confirm(url) => Proven::Confirm(url),
                    ses::Envelope::Gone => Proven::Events(Value::Array(Vec::new()), None),
                });
            }
            (Provider::Sendgrid, Proof::Public(key)) => sendgrid::verify(request, key, now)?,
            (Provider::Mailgun, Proof::Keyed(key)) => {
                let body = mailgun_body(request)?;
                let token = mailgun::verify(&body, key, now)?;
                return Ok(Proven::Events(body, Some(token)));
            }
            (Provider::Resend, Proof::Keyed(key)) => resend::verify(request, key, now)?,
            (Provider::Mailtrap, Proof::Keyed(key)) => mailtrap::verify(request, key)?,
            (Provider::Mailersend, Proof::Keyed(key)) => mailersend::verify(request, key)?,
            (Provider::Postal, Proof::Public(key)) => postal::verify(request, key)?,
            (Provider::Generic, Proof::Keyed(key)) => {
                generic::verify(request, key, now)?;
                if request.header("content-type").is_ok_and(is_mail) {
                    return Ok(Proven::Mail);
                }
            }
            (_, Proof::Carried(secret)) => request.guarded(secret)?,
            (_, Proof::Keyed(_) | Proof::Public(_) | Proof::Topics(_)) => {
                return Err(Refusal::Wrong("proof"));
            }
        }
        let Ok(body) = json(request.body) else { return Ok(Proven::Unreadable) };
        if self.provider == Provider::Azure
            && let Some(code) = azure::validation(&body)
        {
            let answer = serde_json::json!({ "validationResponse": code });
            return Ok(Proven::Validation(answer.to_string()));
        }
        Ok(Proven::Events(body, None))
    }
}

/// The events of a body.
///
/// # Errors
/// What it says is not what the provider says; words for a person.
pub fn read(provider: Provider, body: &Value) -> Result<Vec<Event>, String> {
    Ok(match provider {
        Provider::Ses => ses::read(body)?,
        Provider::Sendgrid => sendgrid::read(body),
        Provider::Mailgun => mailgun::read(body),
        Provider::Postmark => postmark::read(body),
        Provider::Brevo => brevo::read(body),
        Provider::Mailjet => mailjet::read(body),
        Provider::Sparkpost => sparkpost::read(body),
        Provider::Resend => resend::read(body),
        Provider::Mailtrap => mailtrap::read(body),
        Provider::Mailersend => mailersend::read(body),
        Provider::Azure => azure::read(body),
        Provider::Kumomta => kumomta::read(body),
        Provider::Postal => postal::read(body),
        Provider::Generic => generic::read(body),
    })
}

fn open_proof(from: &config::webhook::Webhook) -> anyhow::Result<Proof> {
    if from.provider == Provider::Ses {
        return Ok(Proof::Topics(from.topics.clone()));
    }
    let Some(secret) = &from.secret else { bail!("secret is missing") };
    let secret = secret.read()?;
    let secret = secret.expose_secret().trim();
    if secret.is_empty() {
        bail!("the secret is empty");
    }
    Ok(match from.provider {
        Provider::Sendgrid | Provider::Postal => Proof::Public(public_key(secret)?),
        Provider::Resend => {
            let text = secret.strip_prefix("whsec_").unwrap_or(secret);
            let key = STANDARD.decode(text).context("the secret is whsec_ and base64")?;
            keyed(&key)
        }
        Provider::Mailgun | Provider::Mailtrap | Provider::Mailersend | Provider::Generic => {
            keyed(secret.as_bytes())
        }
        Provider::Postmark
        | Provider::Brevo
        | Provider::Mailjet
        | Provider::Sparkpost
        | Provider::Azure
        | Provider::Kumomta => Proof::Carried(secret.as_bytes().to_vec()),
        Provider::Ses => bail!("ses has topics, no secret"),
    })
}

fn keyed(secret: &[u8]) -> Proof {
    Proof::Keyed(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret)))
}

/// A public key as providers show it: PEM, base64 alone, or a DKIM record with `p=`.
fn public_key(text: &str) -> anyhow::Result<Vec<u8>> {
    let text = text.split("p=").last().unwrap_or(text);
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("-----"))
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace() && *c != ';' && *c != '"')
        .collect();
    STANDARD.decode(text).context("the secret is a public key in PEM or base64")
}

fn is_mail(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("message/rfc822") || essence.eq_ignore_ascii_case("message/global")
}

fn mailgun_body(request: &Request<'_>) -> Result<Value, Refusal> {
    let form = request
        .header("content-type")
        .is_ok_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if form { Ok(mailgun::form(request.body)) } else { json(request.body) }
}

/// A body as JSON, or as lines of it.
fn json(body: &[u8]) -> Result<Value, Refusal> {
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let lines = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let values: Result<Vec<Value>, _> = lines.collect();
    match values {
        Ok(values) if !values.is_empty() => Ok(Value::Array(values)),
        Ok(_) | Err(_) => Err(Refusal::Wrong("body: it is no JSON")),
    }
}

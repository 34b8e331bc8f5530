//! The web addresses and mailboxes that stand in a mail, made in one place, so
//! that what a mail links to is what the web serves.

use rundbrief_subscribers::address::EmailAddress;
use url::Url;

use crate::config::Config;
use crate::config::network::is_loopback;
use crate::newsletter::field::Slug;

/// Where we are on the network, as mails name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Office {
    /// `https://news.example.de`, without a slash at its end.
    pub base: String,
    /// Domain of Message-IDs.
    pub domain: String,
    /// Mailbox for `List-Unsubscribe: <mailto:…>`.
    pub unsubscribe: Option<EmailAddress>,
    /// Every transport is on loopback: a trial, or a mail server on this machine.
    pub at_home: bool,
}

impl Office {
    /// The office of a configuration.
    ///
    /// # Errors
    /// `mail.unsubscribe` is no address.
    pub fn of(config: &Config) -> anyhow::Result<Self> {
        let mailbox = config.mail.unsubscribe.as_deref().map(EmailAddress::parse).transpose();
        Ok(Self {
            base: config.web.address.as_str().to_owned(),
            domain: config.mail.domain.clone(),
            unsubscribe: mailbox
                .map_err(|error| anyhow::anyhow!("rundbrief.toml: mail.unsubscribe {error}"))?,
            at_home: config.transport.values().all(|transport| is_loopback(&transport.host)),
        })
    }

    /// Whether an address is one of our own: the same scheme, host and port.
    pub fn owns(&self, url: &Url) -> bool {
        Url::parse(&self.base).is_ok_and(|base| base.origin() == url.origin())
    }

    /// Where a reader unsubscribes: GET shows, POST acts. The token follows.
    pub fn unsubscribe_prefix(&self) -> String {
        format!("{}/u/", self.base)
    }

    /// A reader's preferences. The token follows.
    pub fn preferences_prefix(&self) -> String {
        format!("{}/p/", self.base)
    }

    /// All issues of a newsletter.
    pub fn archive(&self, newsletter: &Slug) -> String {
        format!("{}/archive/{newsletter}", self.base)
    }

    /// An issue in the browser.
    pub fn issue(&self, newsletter: &Slug, number: i64) -> String {
        format!("{}/{number}", self.archive(newsletter))
    }

    /// An article of an issue; `name` as [`crate::issue::archive::names`] gives it.
    pub fn article(&self, newsletter: &Slug, number: i64, name: &str) -> String {
        format!("{}/{name}", self.issue(newsletter, number))
    }

    /// A picture of our own that goes along with the mail; `file` as below.
    pub fn enclosed(&self, file: &str) -> String {
        format!("cid:{}", super::enclosure::id(file, &self.domain))
    }

    /// A picture of our own; `file` is [`crate::article::Image::file`].
    pub fn picture(&self, file: &str) -> String {
        format!("{}/picture/{file}", self.base)
    }
}

//! The web addresses and mailboxes that stand in a mail, made in one place, so
//! that what a mail links to is what the web serves.

use std::collections::HashMap;

use rundbrief_subscribers::address::EmailAddress;

use crate::article::slug::Slug as ArticleSlug;
use crate::article::{ArticleId, Record};
use crate::config::Config;
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
        })
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

    /// A picture of our own; `file` is [`crate::article::Image::file`].
    pub fn picture(&self, file: &str) -> String {
        format!("{}/picture/{file}", self.base)
    }
}

/// The last part of each article's address in its issue: its slug, with its key
/// where two of them share one.
pub fn article_paths<'r>(
    articles: impl IntoIterator<Item = (ArticleId, &'r Record)>,
) -> HashMap<ArticleId, String> {
    let slugs: Vec<(ArticleId, String)> = articles
        .into_iter()
        .map(|(id, record)| (id, ArticleSlug::of(&record.title).to_string()))
        .collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for (_, slug) in &slugs {
        *count.entry(slug).or_default() += 1;
    }
    let path = |(id, slug): &(ArticleId, String)| {
        let shared = count.get(slug.as_str()).is_some_and(|count| *count > 1);
        (*id, if shared { format!("{slug}-{id}") } else { slug.clone() })
    };
    slugs.iter().map(path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_articles_of_one_title_have_two_addresses() {
        let record = |title: &str| Record { title: title.to_owned(), ..Record::default() };
        let (a, b, c) = (record("Neue Radwege"), record("Neue Radwege!"), record("Haushalt"));
        let ids = [1, 2, 3].map(ArticleId::new);
        let paths = article_paths([(ids[0], &a), (ids[1], &b), (ids[2], &c)]);
        assert_eq!(paths[&ids[0]], "neue-radwege-1");
        assert_eq!(paths[&ids[1]], "neue-radwege-2");
        assert_eq!(paths[&ids[2]], "haushalt");
    }
}

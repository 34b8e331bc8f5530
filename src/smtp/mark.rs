//! The header by which a provider gives our token back in its events. Some replace the
//! Message-ID or the return path; what stands in a field of their own comes back.

use crate::words;

words! {
    /// Whose relay it is, where it is one that wants its own header.
    Mark {
        /// Amazon SES.
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
        /// Mailtrap.
        Mailtrap = "mailtrap",
        /// Postal.
        Postal = "postal",
    }
}

impl Mark {
    /// Header fields that it puts its own in place of, in lower case: a signature over
    /// them would be broken when the mail arrives. Amazon SES says so of these
    /// (docs.aws.amazon.com/ses, "Manual DKIM signing"); no other one is known to.
    pub const fn replaces(self) -> &'static [&'static str] {
        match self {
            Mark::Ses => &["date", "message-id"],
            Mark::Sendgrid
            | Mark::Mailgun
            | Mark::Postmark
            | Mark::Brevo
            | Mark::Mailjet
            | Mark::Sparkpost
            | Mark::Mailtrap
            | Mark::Postal => &[],
        }
    }

    /// The header line with its line end. A token is 32 letters and digits, so that
    /// nothing in it needs quoting.
    pub fn header(self, token: &str) -> String {
        match self {
            Mark::Ses => format!("X-SES-MESSAGE-TAGS: delivery={token}\r\n"),
            Mark::Sendgrid => {
                format!("X-SMTPAPI: {{\"unique_args\":{{\"delivery\":\"{token}\"}}}}\r\n")
            }
            Mark::Mailgun => format!("X-Mailgun-Variables: {{\"delivery\":\"{token}\"}}\r\n"),
            Mark::Postmark => format!("X-PM-Metadata-delivery: {token}\r\n"),
            Mark::Brevo => format!("X-Mailin-custom: delivery:{token}\r\n"),
            Mark::Mailjet => format!("X-MJ-CustomID: {token}\r\n"),
            Mark::Sparkpost => {
                format!("X-MSYS-API: {{\"metadata\":{{\"delivery\":\"{token}\"}}}}\r\n")
            }
            Mark::Mailtrap => format!("X-MT-Custom-Variables: {{\"delivery\":\"{token}\"}}\r\n"),
            Mark::Postal => format!("X-Postal-Tag: {token}\r\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_one_short_header_line_that_holds_the_token() {
        let token = "abcdefghijklmnopqrstuvwxyz234567";
        for mark in Mark::ALL {
            let line = mark.header(token);
            let (name, value) = line.strip_suffix("\r\n").unwrap().split_once(": ").unwrap();
            assert!(name.starts_with("X-") && value.contains(token), "{line}");
            assert!(line.len() <= 80 && !value.contains('\n'), "{line}");
            if value.starts_with('{') {
                let json: serde_json::Value = serde_json::from_str(value).unwrap();
                assert!(json.to_string().contains(token));
            }
        }
    }
}

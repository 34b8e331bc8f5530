//! AUTH (RFC 4954): which mechanism, and what to answer. PLAIN before LOGIN unless
//! the operator names one; XOAUTH2 for access tokens. Pure: the session does the
//! talking.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};

use super::capability::Capability;

/// The mechanism for a password; the error says what is offered and what is missing.
pub(super) fn for_password(
    named: Option<Mechanism>,
    server: &Capability,
) -> Result<Mechanism, String> {
    let missing = |name: &str| {
        Err(format!("the relay does not offer AUTH {name}; it offers {}", offered(server)))
    };
    match named {
        None if server.plain => Ok(Mechanism::Plain),
        None if server.login => Ok(Mechanism::Login),
        None => missing("PLAIN or LOGIN"),
        Some(Mechanism::Plain) if server.plain => Ok(Mechanism::Plain),
        Some(Mechanism::Login) if server.login => Ok(Mechanism::Login),
        Some(named) => missing(&named.to_string()),
    }
}

/// The mechanism for an access token.
pub(super) fn for_token(server: &Capability) -> Result<Mechanism, String> {
    if server.xoauth2 {
        return Ok(Mechanism::Xoauth2);
    }
    Err(format!("the relay does not offer AUTH XOAUTH2; it offers {}", offered(server)))
}

fn offered(server: &Capability) -> String {
    let all = [("PLAIN", server.plain), ("LOGIN", server.login), ("XOAUTH2", server.xoauth2)];
    let names: Vec<&str> = all.iter().filter(|(_, has)| *has).map(|(name, _)| *name).collect();
    if names.is_empty() { "none that is known here".to_owned() } else { names.join(", ") }
}

/// One log-in in progress: yields the lines to send.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    mechanism: Mechanism,
    credentials: &'a Credentials,
    challenges: usize,
    /// Why an access token was refused, as the server said it (a JSON object).
    pub(super) refusal: Option<String>,
}

impl<'a> Exchange<'a> {
    /// Nothing was said yet.
    pub(super) fn new(mechanism: Mechanism, credentials: &'a Credentials) -> Exchange<'a> {
        Exchange { mechanism, credentials, challenges: 0, refusal: None }
    }

    /// The first line, with the initial response where the mechanism has one.
    pub(super) fn first(&self) -> Vec<u8> {
        let mut line = format!("AUTH {}", self.mechanism);
        if self.mechanism.supports_initial_response()
            && let Ok(response) = self.mechanism.response(self.credentials, None)
        {
            line.push(' ');
            line.push_str(&STANDARD.encode(response));
        }
        line.push_str("\r\n");
        line.into_bytes()
    }

    /// The answer to a 334: LOGIN's user and password, told apart by the prompt
    /// or, where that is unusual, by their order. The others have said everything;
    /// an empty line then makes the server end with its real reply.
    pub(super) fn next(&mut self, challenge: &str) -> Vec<u8> {
        self.challenges += 1;
        let prompt =
            STANDARD.decode(challenge.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let by_order = match self.challenges {
            1 => "Username:",
            _ => "Password:",
        };
        let answer = match self.mechanism {
            Mechanism::Login => self
                .mechanism
                .response(self.credentials, prompt.as_deref())
                .or_else(|_| self.mechanism.response(self.credentials, Some(by_order)))
                .unwrap_or_default(),
            Mechanism::Plain => String::new(),
            Mechanism::Xoauth2 => {
                self.refusal = prompt;
                String::new()
            }
        };
        let mut line = STANDARD.encode(answer);
        line.push_str("\r\n");
        line.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Credentials {
        Credentials::new("user".to_owned(), "pass".to_owned())
    }

    #[test]
    fn plain_comes_before_login_unless_one_is_named() {
        let both = Capability { plain: true, login: true, ..Capability::default() };
        assert_eq!(for_password(None, &both), Ok(Mechanism::Plain));
        assert_eq!(for_password(Some(Mechanism::Login), &both), Ok(Mechanism::Login));
        let plain = Capability { plain: true, ..Capability::default() };
        let said = for_password(Some(Mechanism::Login), &plain).unwrap_err();
        assert_eq!(said, "the relay does not offer AUTH LOGIN; it offers PLAIN");
        assert!(for_password(None, &Capability::default()).unwrap_err().contains("none"));
        let password = password();
        let exchange = Exchange::new(Mechanism::Plain, &password);
        assert_eq!(exchange.first(), b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n");
    }

    #[test]
    fn login_answers_usual_and_unusual_prompts() {
        for prompts in [["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], ["aGk=", "?"]] {
            let login = password();
            let mut exchange = Exchange::new(Mechanism::Login, &login);
            assert_eq!(exchange.first(), b"AUTH LOGIN\r\n");
            assert_eq!(exchange.next(prompts[0]), b"dXNlcg==\r\n");
            assert_eq!(exchange.next(prompts[1]), b"cGFzcw==\r\n");
        }
    }

    #[test]
    fn a_token_needs_xoauth2_and_its_refusal_is_kept() {
        assert!(for_token(&Capability::default()).is_err());
        let token = Credentials::new("user".to_owned(), "t".to_owned());
        let mut exchange = Exchange::new(Mechanism::Xoauth2, &token);
        assert!(exchange.first().starts_with(b"AUTH XOAUTH2 "));
        assert_eq!(exchange.next("eyJzdGF0dXMiOiI0MDAifQ=="), b"\r\n");
        assert_eq!(exchange.refusal.as_deref(), Some("{\"status\":\"400\"}"));
    }
}

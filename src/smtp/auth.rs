//! AUTH (RFC 4954): which mechanism, and what to answer. PLAIN before LOGIN;
//! XOAUTH2 for access tokens. Pure: the session does the talking.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};

use super::capability::Capability;
use super::relay::Login;

/// One log-in in progress: yields the lines to send.
#[derive(Debug)]
pub(super) struct Exchange<'a> {
    mechanism: Mechanism,
    credentials: &'a Credentials,
    challenges: usize,
}

impl<'a> Exchange<'a> {
    /// Chooses the mechanism; the error says what is offered and what is missing.
    pub(super) fn choose(login: &'a Login, server: &Capability) -> Result<Exchange<'a>, String> {
        let (mechanism, credentials) = match login {
            Login::Password(credentials) if server.plain => (Mechanism::Plain, credentials),
            Login::Password(credentials) if server.login => (Mechanism::Login, credentials),
            Login::Token(credentials) if server.xoauth2 => (Mechanism::Xoauth2, credentials),
            Login::Password(_) => {
                return Err("the relay offers neither AUTH PLAIN nor AUTH LOGIN".to_owned());
            }
            Login::Token(_) => return Err("the relay does not offer AUTH XOAUTH2".to_owned()),
        };
        Ok(Exchange { mechanism, credentials, challenges: 0 })
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
            Mechanism::Plain | Mechanism::Xoauth2 => String::new(),
        };
        let mut line = STANDARD.encode(answer);
        line.push_str("\r\n");
        line.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password() -> Login {
        Login::Password(Credentials::new("user".to_owned(), "pass".to_owned()))
    }

    #[test]
    fn plain_comes_before_login() {
        let both = Capability { plain: true, login: true, ..Capability::default() };
        let login = password();
        let exchange = Exchange::choose(&login, &both).unwrap();
        assert_eq!(exchange.first(), b"AUTH PLAIN AHVzZXIAcGFzcw==\r\n");
    }

    #[test]
    fn login_answers_usual_and_unusual_prompts() {
        let only = Capability { login: true, ..Capability::default() };
        for prompts in [["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], ["aGk=", "?"]] {
            let login = password();
            let mut exchange = Exchange::choose(&login, &only).unwrap();
            assert_eq!(exchange.first(), b"AUTH LOGIN\r\n");
            assert_eq!(exchange.next(prompts[0]), b"dXNlcg==\r\n");
            assert_eq!(exchange.next(prompts[1]), b"cGFzcw==\r\n");
        }
    }

    #[test]
    fn a_token_needs_xoauth2() {
        let token = Login::Token(Credentials::new("user".to_owned(), "t".to_owned()));
        assert!(Exchange::choose(&token, &Capability::default()).is_err());
        let server = Capability { xoauth2: true, ..Capability::default() };
        let mut exchange = Exchange::choose(&token, &server).unwrap();
        assert!(exchange.first().starts_with(b"AUTH XOAUTH2 "));
        assert_eq!(exchange.next("eyJzdGF0dXMiOiI0MDAifQ=="), b"\r\n");
    }
}

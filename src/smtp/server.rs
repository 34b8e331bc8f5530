//! A small SMTP and LMTP server session (RFC 5321, RFC 2033): it receives bounces
//! from the local MTA and catches mails in the demo. It relays nothing and offers
//! neither TLS nor AUTH: it belongs on loopback or a socket. The caller pulls
//! requests and answers each one.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The longest command line, in bytes with CRLF (RFC 5321 asks for 512; extensions add).
const LINE_BYTES: usize = 2048;
/// Recipients of one mail.
const RECIPIENTS: usize = 100;
/// Commands that make no sense before the session ends.
const ERRORS: usize = 20;
/// How much is read at once, in bytes.
const READ_BYTES: usize = 16 * 1024;

/// Which of the two protocols is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// One answer after the dot.
    Smtp,
    /// One answer for each recipient after the dot.
    Lmtp,
}

/// What one session may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest mail, in bytes.
    pub mail_bytes: usize,
    /// The longest silence of the client within a mail.
    pub silence: Duration,
    /// The longest silence of one that has no mail under way: it holds a place for nothing.
    pub idle: Duration,
}

/// A mail as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The return path; empty for bounces.
    pub from: String,
    /// Everybody the caller let in.
    pub to: Vec<String>,
    /// Header and body, dots unstuffed.
    pub content: Vec<u8>,
}

/// What the caller must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// May this recipient get a mail from this sender?
    Recipient {
        /// The return path.
        from: String,
        /// The recipient.
        to: String,
    },
    /// The whole mail is here. `Answer::ok` means that it is kept.
    Mail(Received),
}

/// An answer: code and text, one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    code: u16,
    text: String,
}

impl Answer {
    /// 250.
    pub fn ok() -> Answer {
        Answer::new(250, "2.0.0 Ok")
    }

    /// Any code; line breaks in the text become spaces.
    pub fn new(code: u16, text: &str) -> Answer {
        Answer { code, text: text.replace(['\r', '\n'], " ") }
    }
}

/// One client's session.
#[derive(Debug)]
pub struct Session<S> {
    stream: S,
    protocol: Protocol,
    limits: Limits,
    name: String,
    input: Vec<u8>,
    from: Option<String>,
    to: Vec<String>,
    asked: Asked,
    errors: usize,
}

/// What the caller still owes an answer to.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    Recipient(String),
    Mail(usize),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Greets the client.
    pub async fn greet(
        stream: S,
        protocol: Protocol,
        name: &str,
        limits: Limits,
    ) -> std::io::Result<Session<S>> {
        let mut session = Session {
            stream,
            protocol,
            limits,
            name: name.to_owned(),
            input: Vec::new(),
            from: None,
            to: Vec::new(),
            asked: Asked::Nothing,
            errors: 0,
        };
        let kind = match protocol {
            Protocol::Smtp => "ESMTP",
            Protocol::Lmtp => "LMTP",
        };
        session.say(&format!("220 {name} {kind} ready")).await?;
        Ok(session)
    }

    /// The next question; none when the client has gone. An unanswered question
    /// is answered with "later" first, so nothing is lost by forgetting.
    pub async fn next(&mut self) -> std::io::Result<Option<Request>> {
        if self.asked != Asked::Nothing {
            self.answer(&Answer::new(451, "4.3.0 Try again later")).await?;
        }
        loop {
            let Some(line) = self.line().await? else {
                return Ok(None);
            };
            match self.obey(&line).await? {
                Turn::On => {}
                Turn::Ask(request) => return Ok(Some(request)),
                Turn::End => return Ok(None),
            }
            if self.errors > ERRORS {
                self.say("421 4.7.0 Too many errors").await?;
                return Ok(None);
            }
        }
    }

    /// Answers the question that [`Session::next`] put.
    pub async fn answer(&mut self, answer: &Answer) -> std::io::Result<()> {
        let line = format!("{} {}", answer.code, answer.text);
        match std::mem::replace(&mut self.asked, Asked::Nothing) {
            Asked::Nothing => Ok(()),
            Asked::Recipient(to) => {
                if answer.code / 100 == 2 {
                    self.to.push(to);
                }
                self.say(&line).await
            }
            Asked::Mail(recipients) => {
                let times = match self.protocol {
                    Protocol::Smtp => 1,
                    Protocol::Lmtp => recipients,
                };
                let lines = vec![line; times].join("\r\n");
                self.say(&lines).await
            }
        }
    }

    async fn obey(&mut self, line: &[u8]) -> std::io::Result<Turn> {
        let line = String::from_utf8_lossy(line).into_owned();
        let (verb, rest) = line.split_once(' ').unwrap_or((line.as_str(), ""));
        let verb = verb.to_ascii_uppercase();
        let hello = match self.protocol {
            Protocol::Smtp => verb == "EHLO" || verb == "HELO",
            Protocol::Lmtp => verb == "LHLO",
        };
        if hello {
            self.reset();
            let text = format!(
                "250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 ENHANCEDSTATUSCODES",
                self.name, self.limits.mail_bytes
            );
            self.say(&text).await?;
            return Ok(Turn::On);
        }
        match verb.as_str() {
            "MAIL" => self.mail(rest).await?,
            "RCPT" => return self.recipient(rest).await,
            "DATA" => return self.data().await,
            "RSET" => {
                self.reset();
                self.say("250 2.0.0 Ok").await?;
            }
            "NOOP" => self.say("250 2.0.0 Ok").await?,
            "VRFY" => self.say("252 2.5.0 Send and see").await?,
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(Turn::End);
            }
            _ => self.refuse("502 5.5.1 Not offered here").await?,
        }
        Ok(Turn::On)
    }

    async fn mail(&mut self, rest: &str) -> std::io::Result<()> {
        if self.from.is_some() {
            return self.refuse("503 5.5.1 One mail at a time").await;
        }
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.refuse("501 5.1.7 MAIL FROM:<address>").await;
        };
        let announced = parameters
            .split(' ')
            .filter_map(|word| word.to_ascii_uppercase().strip_prefix("SIZE=").map(str::to_owned))
            .find_map(|size| size.parse::<usize>().ok());
        if announced.is_some_and(|bytes| bytes > self.limits.mail_bytes) {
            return self.refuse("552 5.3.4 Too big").await;
        }
        self.from = Some(from);
        self.say("250 2.1.0 Ok").await
    }

    async fn recipient(&mut self, rest: &str) -> std::io::Result<Turn> {
        let Some(from) = self.from.clone() else {
            self.refuse("503 5.5.1 MAIL first").await?;
            return Ok(Turn::On);
        };
        let Some((to, _)) = path(rest, "TO:").filter(|(to, _)| !to.is_empty()) else {
            self.refuse("501 5.1.3 RCPT TO:<address>").await?;
            return Ok(Turn::On);
        };
        if self.to.len() == RECIPIENTS {
            self.refuse("452 4.5.3 Too many recipients").await?;
            return Ok(Turn::On);
        }
        self.asked = Asked::Recipient(to.clone());
        Ok(Turn::Ask(Request::Recipient { from, to }))
    }

    async fn data(&mut self) -> std::io::Result<Turn> {
        if self.to.is_empty() {
            self.refuse("503 5.5.1 RCPT first").await?;
            return Ok(Turn::On);
        }
        self.say("354 End with a dot on a line of its own").await?;
        let Some(content) = self.content().await? else {
            // RFC 2033, section 4.2: too big for each of them.
            self.asked = Asked::Mail(self.to.len());
            self.answer(&Answer::new(552, "5.3.4 Too big")).await?;
            self.reset();
            return Ok(Turn::On);
        };
        let received = Received {
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            content,
        };
        self.asked = Asked::Mail(received.to.len());
        Ok(Turn::Ask(Request::Mail(received)))
    }

    /// Everything up to the dot, unstuffed; none if it is too big (it is read to
    /// its end all the same, so that the session goes on).
    async fn content(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        let mut fits = true;
        // A line starts where the last one ended, by CR LF and nothing else: a dot after a
        // bare LF ends the mail for one server and not for the next, which smuggles mails.
        let mut at_start = true;
        loop {
            let mut used = 0;
            while let Some(found) = memchr::memchr(b'\n', &self.input[used..]) {
                let line = &self.input[used..=used + found];
                used += found + 1;
                if at_start && line == b".\r\n" {
                    self.input.drain(..used);
                    return Ok(fits.then_some(content));
                }
                let stuffed = usize::from(at_start && line[0] == b'.');
                fits &= content.len() + line.len() <= self.limits.mail_bytes;
                if fits {
                    content.extend_from_slice(&line[stuffed..]);
                }
                at_start = line.ends_with(b"\r\n");
            }
            self.input.drain(..used);
            if self.input.len() > READ_BYTES {
                // Part of a line without end: keep what fits, remember where it stands.
                // A CR at its end may be half of its end.
                let end = self.input.len() - usize::from(self.input.ends_with(b"\r"));
                let stuffed = usize::from(at_start && self.input[0] == b'.');
                fits &= content.len() + self.input.len() <= self.limits.mail_bytes;
                if fits {
                    content.extend_from_slice(&self.input[stuffed..end]);
                }
                self.input.drain(..end);
                at_start = false;
            }
            if !self.fill().await? {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// One command line without its end; none when the client has gone.
    async fn line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.input) {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                return Ok(Some(line.trim_ascii_end().to_vec()));
            }
            if self.input.len() > LINE_BYTES {
                self.say("500 5.5.2 Line too long").await?;
                return Ok(None);
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> std::io::Result<bool> {
        let mut bytes = [0; READ_BYTES];
        let busy = self.from.is_some();
        let silence = if busy { self.limits.silence } else { self.limits.idle };
        match timeout(silence, self.stream.read(&mut bytes)).await {
            Err(_) => {
                self.say("421 4.4.2 Silent for too long").await?;
                Ok(false)
            }
            Ok(read) => {
                let n = read?;
                self.input.extend_from_slice(&bytes[..n]);
                Ok(n > 0)
            }
        }
    }

    async fn refuse(&mut self, line: &str) -> std::io::Result<()> {
        self.errors += 1;
        self.say(line).await
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        let bytes = format!("{line}\r\n");
        let wrote = timeout(self.limits.silence, async {
            self.stream.write_all(bytes.as_bytes()).await?;
            self.stream.flush().await
        });
        wrote.await.map_err(|_| std::io::ErrorKind::TimedOut)?
    }

    fn reset(&mut self) {
        self.from = None;
        self.to.clear();
    }
}

/// How a session goes on after one command.
enum Turn {
    On,
    Ask(Request),
    End,
}

/// The address in `FROM:<…>` and the parameters behind it.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(String, &'a str)> {
    let head = rest.get(..keyword.len())?;
    if !head.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let rest = rest[keyword.len()..].trim_start().strip_prefix('<')?;
    let (address, parameters) = rest.split_once('>')?;
    Some((address.to_owned(), parameters.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    fn limits() -> Limits {
        let silence = Duration::from_secs(5);
        Limits { mail_bytes: 200, silence, idle: silence }
    }

    /// Plays the client's lines, accepts everybody but `no@…`, and returns all that was said.
    async fn talk(protocol: Protocol, script: &str) -> (String, Vec<Received>) {
        let (mut client, server) = duplex(64 * 1024);
        client.write_all(script.as_bytes()).await.unwrap();
        let serve = async {
            let mut mails = Vec::new();
            let mut session = Session::greet(server, protocol, "catch", limits()).await.unwrap();
            while let Some(request) = session.next().await.unwrap() {
                let answer = match request {
                    Request::Recipient { to, .. } if to.starts_with("no@") => {
                        Answer::new(550, "5.1.1 Unknown")
                    }
                    Request::Recipient { .. } => Answer::ok(),
                    Request::Mail(mail) => {
                        mails.push(mail);
                        Answer::ok()
                    }
                };
                session.answer(&answer).await.unwrap();
            }
            mails
        };
        let mails = serve.await;
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        (said, mails)
    }

    #[tokio::test]
    async fn a_bounce_comes_in_by_smtp() {
        let (said, mails) = talk(
            Protocol::Smtp,
            "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<bounce+x@example.org>\r\nRCPT TO:<no@example.org>\r\nDATA\r\nA: b\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
        )
        .await;
        assert_eq!(
            mails,
            [Received {
                from: String::new(),
                to: vec!["bounce+x@example.org".to_owned()],
                content: b"A: b\r\n\r\n.dot\r\n".to_vec(),
            }]
        );
        let codes: Vec<&str> =
            said.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
        assert_eq!(codes, ["220", "250", "250", "250", "550", "354", "250", "221"]);
    }

    #[tokio::test]
    async fn lmtp_answers_once_for_each_recipient() {
        for (content, answer) in
            [("x".to_owned(), "250 2.0.0 Ok"), ("x".repeat(300), "552 5.3.4 Too big")]
        {
            let (said, mails) = talk(
                Protocol::Lmtp,
                &format!("LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nRCPT TO:<no@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n{content}\r\n.\r\nQUIT\r\n"),
            )
            .await;
            assert_eq!(mails.len(), usize::from(content.len() == 1));
            let end = format!("line of its own\r\n{answer}\r\n{answer}\r\n221 2.0.0 Bye\r\n");
            assert!(said.ends_with(&end), "{said}");
        }
    }

    #[tokio::test]
    async fn what_is_too_big_is_refused_and_the_session_goes_on() {
        let big = "x".repeat(300);
        let (said, mails) = talk(
            Protocol::Smtp,
            &format!(
                "EHLO me\r\nMAIL FROM:<> SIZE=500\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n{big}\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\ny\r\n.\r\n"
            ),
        )
        .await;
        assert_eq!(said.matches("552 5.3.4").count(), 2, "{said}");
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].content, b"y\r\n");
    }

    #[tokio::test]
    async fn only_a_dot_between_two_whole_line_ends_ends_a_mail() {
        let inside = "a\n.\nMAIL FROM:<>\r\nb\n.\r\nc\r\n.\nd\r.\r\n";
        let (_, mails) = talk(
            Protocol::Lmtp,
            &format!("LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\nDATA\r\n{inside}.\r\nQUIT\r\n"),
        )
        .await;
        assert_eq!(mails.len(), 1, "nothing is smuggled in");
        let unstuffed = inside.replace("c\r\n.\n", "c\r\n\n");
        assert_eq!(String::from_utf8_lossy(&mails[0].content), unstuffed);
    }

    #[tokio::test]
    async fn nonsense_ends() {
        let (said, mails) = talk(Protocol::Smtp, &"FOO\r\n".repeat(30)).await;
        assert!(said.ends_with("421 4.7.0 Too many errors\r\n"));
        assert!(mails.is_empty());
        let (said, _) = talk(Protocol::Smtp, &"x".repeat(3000)).await;
        assert!(said.contains("500 5.5.2"));
    }
}

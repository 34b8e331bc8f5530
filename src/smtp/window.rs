//! Several mails in one breath with CHUNKING (RFC 3030): MAIL, RCPT and BDAT LAST
//! of each, one behind the other, then all replies. It pays where replies take
//! long; the window is part of the bound on copies, hence a setting.

use std::time::Duration;

use super::reply::Reply;
use super::session::Session;
use super::transaction::Mail;
use super::{Answer, Broken, Outcome, Stage};

/// Replies to one mail of a window: RSET, MAIL, RCPT, BDAT.
const RESET: &[u8] = b"RSET\r\n";
/// How long to wait for more after a 421: who says it hangs up.
const FAREWELL: Duration = Duration::from_secs(10);

/// How far one mail of the window got.
enum Written {
    /// All of it left, with its last chunk; replies are to come.
    Whole,
    /// It did not; this is how it ended.
    Ended(Outcome),
}

/// What was heard last while the replies of a window are read.
#[derive(Default)]
struct Heard {
    /// The last reply, if it was a 421. A server that says so and hangs up obeyed nothing
    /// that stood behind (RFC 5321, section 3.8).
    farewell: Option<Reply>,
    /// The connection is lost, or nobody can tell any more which reply is to what. A
    /// reply that comes late would be taken for the next mail's.
    broken: Option<Broken>,
}

impl Session {
    /// How many mails may be passed to [`Session::send_window`] at once; 1 means
    /// that the server does not offer what it needs.
    pub fn window(&self) -> usize {
        if self.server.chunking && self.server.pipelining {
            let rest = self.relay.setup().mails_per_connection - self.mails;
            self.relay.setup().window.clamp(1, (rest as usize).max(1))
        } else {
            1
        }
    }

    /// Sends mails behind each other and answers one outcome for each, in order.
    /// `look(n)` is asked before every write that carries the last chunk of mail n.
    pub async fn send_window(
        &mut self,
        mails: &[Mail<'_>],
        look: impl Fn(usize) -> bool,
    ) -> Vec<Outcome> {
        if !self.open {
            return vec![self.ended(); mails.len()];
        }
        if let Err(why) = self.expect_silence().await {
            return vec![Outcome::broken(Stage::Mail, why); mails.len()];
        }
        let mut written = Vec::with_capacity(mails.len());
        for (n, mail) in mails.iter().enumerate() {
            written.push(self.write_chunk(mail, || look(n)).await);
        }
        let mut outcomes = Vec::with_capacity(mails.len());
        let mut heard = Heard::default();
        for one in written {
            outcomes.push(match one {
                Written::Ended(outcome) => outcome,
                Written::Whole => self.read_chunk(&mut heard).await,
            });
        }
        outcomes
    }

    async fn write_chunk(&mut self, mail: &Mail<'_>, look: impl Fn() -> bool) -> Written {
        if !self.open {
            return Written::Ended(self.ended());
        }
        if let Some(refused) = mail.envelope.refuse(&self.server) {
            return Written::Ended(refused);
        }
        if !look() {
            return Written::Ended(Outcome { stage: Stage::Mail, answer: Answer::Withheld });
        }
        self.mails += 1;
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        output.extend_from_slice(RESET);
        mail.envelope.write(&self.server, &mut output);
        let mended;
        let content = if super::wire::is_clean(mail.content) {
            mail.content
        } else {
            mended = super::wire::clean(mail.content);
            &mended
        };
        output.extend_from_slice(format!("BDAT {} LAST\r\n", content.len()).as_bytes());
        output.extend_from_slice(content);
        // Replies of earlier mails are still to come: none of them is this write's.
        let poured = self.pour_blindly(&output, output.len(), look).await;
        self.output = output;
        match poured {
            Ok(()) => Written::Whole,
            Err(outcome) => Written::Ended(outcome),
        }
    }

    /// The four replies of a mail that was written whole. All of them are read whatever
    /// they say, also when another mail ended the writing: the next mail's stand behind.
    async fn read_chunk(&mut self, heard: &mut Heard) -> Outcome {
        let limits = self.relay.setup().deadlines;
        // What RSET itself gets says nothing about the mail.
        if let Err(unheard) = self.hear(limits.mail, heard).await {
            return unheard;
        }
        let mut refused = None;
        for (stage, within) in [(Stage::Mail, limits.mail), (Stage::Rcpt, limits.rcpt)] {
            match self.hear(within, heard).await {
                Ok(reply) if reply.is_positive() => {}
                Ok(reply) => {
                    refused.get_or_insert(Outcome::reply(stage, reply));
                }
                Err(unheard) => return refused.unwrap_or(unheard),
            }
        }
        let last = self.hear(limits.dot, heard).await;
        let said = last.map_or_else(|unheard| unheard, |reply| Outcome::reply(Stage::Dot, reply));
        refused.unwrap_or(said)
    }

    /// The next reply of the window, or what its absence means for the mail it is about.
    /// Once one is missing, no other is waited for.
    async fn hear(&mut self, within: Duration, heard: &mut Heard) -> Result<Reply, Outcome> {
        let within = if heard.farewell.is_some() { within.min(FAREWELL) } else { within };
        let why = match heard.broken.take() {
            Some(why) => why,
            None => match self.read(within).await {
                Ok(reply) if !reply.is_intermediate() => {
                    heard.farewell = (reply.code() == 421).then(|| reply.clone());
                    return Ok(reply);
                }
                Ok(reply) => Broken::OutOfTurn(reply.words()),
                Err(why) => why,
            },
        };
        self.open = false;
        heard.broken = Some(why.clone());
        Err(match (&heard.farewell, why) {
            (Some(farewell), Broken::Io(_)) => Outcome::reply(Stage::Mail, farewell.clone()),
            // The last chunk has left: whatever the server did with it, it did not say.
            (_, why) => Outcome::broken(Stage::Dot, why),
        })
    }
}

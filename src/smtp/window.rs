//! Several mails in one breath with CHUNKING (RFC 3030): MAIL, RCPT and BDAT LAST
//! of each, one behind the other, then all replies. It pays where replies take
//! long; the window is part of the bound on copies, hence a setting.

use super::reply::Reply;
use super::session::Session;
use super::transaction::Mail;
use super::{Answer, Broken, Outcome, Stage};

/// Replies to one mail of a window: RSET, MAIL, RCPT, BDAT.
const RESET: &[u8] = b"RSET\r\n";

/// How far one mail of the window got.
enum Written {
    /// All of it left, with its last chunk; replies are to come.
    Whole,
    /// It did not; this is how it ended.
    Ended(Outcome),
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
        let mut written = Vec::with_capacity(mails.len());
        for (n, mail) in mails.iter().enumerate() {
            written.push(self.write_chunk(mail, || look(n)).await);
        }
        let mut outcomes = Vec::with_capacity(mails.len());
        let mut farewell = None;
        for one in written {
            let outcome = match one {
                Written::Ended(outcome) => outcome,
                Written::Whole => self.read_chunk(farewell.as_ref()).await,
            };
            if let Answer::Reply(reply) = &outcome.answer
                && reply.code() == 421
            {
                farewell.get_or_insert_with(|| reply.clone());
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    async fn write_chunk(&mut self, mail: &Mail<'_>, look: impl Fn() -> bool) -> Written {
        if !self.open {
            let why = Broken::Io("the connection ended before this mail".to_owned());
            return Written::Ended(Outcome::broken(Stage::Mail, why));
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
        let end = output.len();
        let poured = self.pour_blindly(&output, end, look).await;
        self.output = output;
        match poured {
            Ok(()) => Written::Whole,
            Err(outcome) => Written::Ended(outcome),
        }
    }

    /// As [`Session::pour`], but replies of earlier mails are still to come, so a
    /// failed write must not take one of them for its own.
    async fn pour_blindly(
        &mut self,
        output: &[u8],
        end: usize,
        look: impl Fn() -> bool,
    ) -> Result<(), Outcome> {
        use tokio::io::AsyncWriteExt;
        let within = self.relay.setup().deadlines.block;
        let mut at = 0;
        while at < end {
            if at > 0 && !look() {
                self.open = false;
                return Err(Outcome { stage: Stage::Body, answer: Answer::Withheld });
            }
            let gone = self.stream.is_tls();
            let tried = tokio::time::timeout(within, self.stream.write(&output[at..])).await;
            let why = match tried {
                Ok(Ok(n)) if n > 0 => {
                    at += n;
                    continue;
                }
                Ok(Ok(_)) => Broken::Io("the server takes no more".to_owned()),
                Ok(Err(error)) => Broken::Io(error.to_string()),
                Err(_) => Broken::Deadline(within.as_secs()),
            };
            self.open = false;
            let stage = if gone { Stage::Dot } else { Stage::Body };
            return Err(Outcome::broken(stage, why));
        }
        let flushed = tokio::time::timeout(within, self.stream.flush()).await;
        match flushed {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => self.lost(Broken::Io(error.to_string())),
            Err(_) => self.lost(Broken::Deadline(within.as_secs())),
        }
    }

    fn lost(&mut self, why: Broken) -> Result<(), Outcome> {
        self.open = false;
        Err(Outcome::broken(Stage::Dot, why))
    }

    /// The four replies of a mail that was written whole. A server that said 421 and
    /// hung up obeyed nothing that stood behind (RFC 5321, section 3.8).
    async fn read_chunk(&mut self, farewell: Option<&Reply>) -> Outcome {
        let limits = self.relay.setup().deadlines;
        let mut first = None;
        for (stage, within) in [
            (Stage::Mail, limits.mail), // RSET
            (Stage::Mail, limits.mail),
            (Stage::Rcpt, limits.rcpt),
        ] {
            match self.read(within).await {
                Ok(reply) if reply.is_positive() => {}
                Ok(reply) => {
                    let gone = reply.code() == 421;
                    first.get_or_insert(Outcome::reply(stage, reply));
                    if gone {
                        break;
                    }
                }
                Err(Broken::Io(_)) if farewell.is_some() && first.is_none() => {
                    let farewell = farewell.cloned().expect("it was just seen");
                    return Outcome::reply(Stage::Mail, farewell);
                }
                // The last chunk has left: whatever the server did with it, it did not say.
                Err(why) => return first.unwrap_or(Outcome::broken(Stage::Dot, why)),
            }
        }
        if let Some(refused) = first {
            if self.open {
                let _ = self.read(limits.dot).await;
            }
            return refused;
        }
        match self.read(limits.dot).await {
            Ok(reply) => Outcome::reply(Stage::Dot, reply),
            Err(why) => Outcome::broken(Stage::Dot, why),
        }
    }
}

//! One mail over an open session: MAIL, RCPT, DATA, content, the last look, the
//! final dot, its reply. With PIPELINING the commands go in one write, and the
//! next mail's stand behind the dot, so that a mail costs one round trip.

use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};

use super::envelope::Envelope;
use super::reply::Reply;
use super::session::Session;
use super::{Answer, Broken, Outcome, Stage, wire};

/// Content is written in blocks of at most this many bytes; the last look is
/// repeated before each.
const BLOCK_BYTES: usize = 64 * 1024;
/// How long to listen for the server's last words after a write failed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// One mail, ready to go.
#[derive(Debug, Clone, Copy)]
pub struct Mail<'a> {
    /// From and to.
    pub envelope: &'a Envelope,
    /// Header and body.
    pub content: &'a [u8],
}

impl Session {
    /// Sends one mail. `next` is the envelope of the mail that will be passed in
    /// the next call, if that is known already. `look` is asked before every
    /// write that could carry the final dot; `false` closes the socket without it.
    pub async fn send(
        &mut self,
        mail: Mail<'_>,
        next: Option<&Envelope>,
        look: impl Fn() -> bool,
    ) -> Outcome {
        let begun = self.begun.take();
        if !self.open {
            return self.ended();
        }
        let to = mail.envelope.recipient();
        if let Some(other) = begun.as_deref().filter(|begun| *begun != to) {
            // What stands behind the last dot names somebody else; it cannot be taken back.
            tracing::error!(length = other.len(), "another mail was announced");
            self.open = false;
            let why = Broken::Setup("another mail was announced on this connection".to_owned());
            return Outcome::broken(Stage::Mail, why);
        }
        if begun.is_none() {
            if let Err(why) = self.expect_silence().await {
                return Outcome::broken(Stage::Mail, why);
            }
            if let Some(refused) = mail.envelope.refuse(&self.server) {
                return refused;
            }
        }
        self.mails += 1;
        match self.announce(mail.envelope, begun.is_some()).await {
            Ok(()) => {}
            Err(outcome) => return outcome,
        }
        let next = next.filter(|next| {
            self.server.pipelining
                && self.mails < self.relay.setup().mails_per_connection
                && next.refuse(&self.server).is_none()
        });
        self.transmit(mail.content, next, look).await
    }

    /// What ended another mail's try ended the session: nothing is read for this one.
    pub(super) fn ended(&self) -> Outcome {
        let why = Broken::Io("the connection ended before this mail".to_owned());
        Outcome::broken(Stage::Mail, why)
    }

    /// MAIL, RCPT and DATA up to the 354.
    async fn announce(&mut self, envelope: &Envelope, begun: bool) -> Result<(), Outcome> {
        let limits = self.relay.setup().deadlines;
        if begun || self.server.pipelining {
            if !begun {
                let mut lines = std::mem::take(&mut self.output);
                lines.clear();
                if self.dirty {
                    lines.extend_from_slice(b"RSET\r\n");
                }
                envelope.write(&self.server, &mut lines);
                lines.extend_from_slice(b"DATA\r\n");
                let written = self.write(&lines, limits.mail).await;
                self.output = lines;
                if let Err(why) = written {
                    return Err(self.last_words(Stage::Mail, why).await);
                }
                if std::mem::take(&mut self.dirty) {
                    self.at(Stage::Mail, limits.mail).await?;
                }
            }
            let mail = self.at(Stage::Mail, limits.mail).await?;
            let rcpt = self.at(Stage::Rcpt, limits.rcpt).await?;
            let data = self.at(Stage::Data, limits.data).await?;
            return self.weigh(mail, rcpt, data).await;
        }
        let mut lines = Vec::new();
        envelope.write(&self.server, &mut lines);
        let split = 1 + memchr::memchr(b'\n', &lines).expect("MAIL ends with a line end");
        if std::mem::take(&mut self.dirty) {
            self.step(Stage::Mail, b"RSET\r\n", limits.mail).await?;
        }
        let (mail, rcpt) = lines.split_at(split);
        for (stage, line, within) in
            [(Stage::Mail, mail, limits.mail), (Stage::Rcpt, rcpt, limits.rcpt)]
        {
            let reply = self.step(stage, line, within).await?;
            if !reply.is_positive() {
                return Err(self.refused(stage, reply));
            }
        }
        let reply = self.step(Stage::Data, b"DATA\r\n", limits.data).await?;
        if reply.code() != 354 {
            return Err(self.refused(Stage::Data, reply));
        }
        Ok(())
    }

    /// The mail ends with this reply. One that is no refusal does not belong here, and
    /// nobody can tell any more which reply is to what.
    fn refused(&mut self, stage: Stage, reply: Reply) -> Outcome {
        self.dirty = true;
        self.open &= reply.is_temporary() || reply.is_permanent();
        Outcome::reply(stage, reply)
    }

    /// What three replies to three commands mean together.
    async fn weigh(&mut self, mail: Reply, rcpt: Reply, data: Reply) -> Result<(), Outcome> {
        if mail.is_positive() && rcpt.is_positive() && data.code() == 354 {
            return Ok(());
        }
        let outcome = if !mail.is_positive() {
            self.refused(Stage::Mail, mail)
        } else if !rcpt.is_positive() {
            self.refused(Stage::Rcpt, rcpt)
        } else {
            return Err(self.refused(Stage::Data, data));
        };
        if data.code() == 354 && self.open {
            // The server wants content for nobody (RFC 2920, section 3.1): an empty one.
            let within = self.relay.setup().deadlines.dot;
            let _ = self.command(b".\r\n", within).await;
        }
        Err(outcome)
    }

    /// Content, dot and the next mail's commands in as few writes as possible.
    async fn transmit(
        &mut self,
        content: &[u8],
        next: Option<&Envelope>,
        look: impl Fn() -> bool,
    ) -> Outcome {
        let limits = self.relay.setup().deadlines;
        if let Err(why) = self.expect_silence().await {
            return Outcome::broken(Stage::Body, why);
        }
        let mut output = std::mem::take(&mut self.output);
        output.clear();
        let dot = if wire::is_clean(content) {
            wire::stuff(content, &mut output)
        } else {
            wire::stuff(&wire::clean(content), &mut output)
        };
        let end = dot + b".\r\n".len();
        if let Some(next) = next {
            next.write(&self.server, &mut output);
            output.extend_from_slice(b"DATA\r\n");
            self.begun = Some(next.recipient().to_owned());
        }
        let written = self.pour(&output, end, look).await;
        self.output = output;
        match written {
            Ok(()) => {}
            Err(outcome) => return outcome,
        }
        match self.read(limits.dot).await {
            Ok(reply) => {
                self.open &= !reply.is_intermediate();
                Outcome::reply(Stage::Dot, reply)
            }
            Err(why) => Outcome::broken(Stage::Dot, why),
        }
    }

    /// As [`Session::pour_blindly`]; after a failed write the server's last words count.
    async fn pour(
        &mut self,
        output: &[u8],
        end: usize,
        look: impl Fn() -> bool,
    ) -> Result<(), Outcome> {
        match self.pour_blindly(output, end, look).await {
            Err(Outcome { stage, answer: Answer::Broken(why) }) => {
                Err(self.last_words(stage, why).await)
            }
            done @ (Ok(()) | Err(_)) => done,
        }
    }

    /// Writes all of `output`, whose bytes before `end` must all have left for the
    /// mail to count as sent. Looks before every write until then. Whatever goes wrong
    /// ends the session.
    pub(super) async fn pour_blindly(
        &mut self,
        output: &[u8],
        end: usize,
        look: impl Fn() -> bool,
    ) -> Result<(), Outcome> {
        let within = self.relay.setup().deadlines.block;
        let tls = self.stream.is_tls();
        let poured = pour(&mut self.stream, tls, output, end, within, look).await;
        self.open &= poured.is_ok();
        poured
    }

    /// After a failed write: what the server said before it hung up, if anything.
    pub(super) async fn last_words(&mut self, stage: Stage, why: Broken) -> Outcome {
        let said = self.read(LAST_WORDS).await;
        self.open = false;
        match said {
            Ok(reply) => Outcome::reply(stage, reply),
            Err(_) => Outcome::broken(stage, why),
        }
    }

    async fn step(
        &mut self,
        stage: Stage,
        line: &[u8],
        within: Duration,
    ) -> Result<Reply, Outcome> {
        let answer = self.command(line, within).await;
        answer.map_err(|why| Outcome::broken(stage, why))
    }

    /// One reply; a 421 ends the round at its stage.
    pub(super) async fn at(&mut self, stage: Stage, within: Duration) -> Result<Reply, Outcome> {
        match self.read(within).await {
            Ok(reply) if reply.code() == 421 => Err(Outcome::reply(stage, reply)),
            Ok(reply) => Ok(reply),
            Err(why) => Err(Outcome::broken(stage, why)),
        }
    }
}

/// See [`Session::pour_blindly`]. Each block has its time, however many writes it takes:
/// a server that drains a few bytes now and then must not hold the session for hours.
async fn pour(
    stream: &mut (impl AsyncWrite + Unpin),
    tls: bool,
    output: &[u8],
    end: usize,
    within: Duration,
    look: impl Fn() -> bool,
) -> Result<(), Outcome> {
    let mut at = 0;
    for block in output.chunks(BLOCK_BYTES) {
        let (until, next) = (Instant::now() + within, at + block.len());
        while at < next {
            if at < end && !look() {
                return Err(Outcome { stage: Stage::Body, answer: Answer::Withheld });
            }
            // A plain socket that refuses a write has taken nothing of it; TLS may
            // have sent what it took before.
            let stage = if at >= end || tls && next >= end { Stage::Dot } else { Stage::Body };
            let wrote = timeout_at(until, stream.write(&output[at..next])).await;
            match bounded(wrote, within) {
                Ok(0) => {
                    let why = Broken::Io("the server takes no more".to_owned());
                    return Err(Outcome::broken(stage, why));
                }
                Ok(n) => at += n,
                Err(why) => return Err(Outcome::broken(stage, why)),
            }
        }
    }
    let flushed = timeout(within, stream.flush()).await;
    bounded(flushed, within).map_err(|why| Outcome::broken(Stage::Dot, why))
}

fn bounded<T>(done: Result<std::io::Result<T>, Elapsed>, within: Duration) -> Result<T, Broken> {
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Broken::Io(error.to_string())),
        Err(_) => Err(Broken::Deadline(within.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn a_block_has_one_deadline_however_slowly_it_is_taken() {
        let (mut ours, mut theirs) = tokio::io::duplex(16);
        tokio::spawn(async move {
            while theirs.read_u8().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let (begun, within) = (Instant::now(), Duration::from_millis(300));
        let content = [b'x'; BLOCK_BYTES];
        let poured = pour(&mut ours, false, &content, content.len(), within, || true).await;
        assert_eq!(poured, Err(Outcome::broken(Stage::Body, Broken::Deadline(0))));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn each_block_has_a_deadline_of_its_own() {
        let (mut ours, mut theirs) = tokio::io::duplex(BLOCK_BYTES);
        let reader = tokio::spawn(async move {
            let mut bytes = vec![0; BLOCK_BYTES];
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_millis(200)).await;
                theirs.read_exact(&mut bytes).await.unwrap();
            }
        });
        let content = vec![b'x'; 5 * BLOCK_BYTES];
        let within = Duration::from_millis(700);
        let poured = pour(&mut ours, false, &content, content.len(), within, || true).await;
        assert_eq!(poured, Ok(()));
        reader.await.unwrap();
    }
}

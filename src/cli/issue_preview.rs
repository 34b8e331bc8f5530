//! `rundbrief issue preview` and `rundbrief issue test`: the mail as one reader gets it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use mail_parser::{MessageParser, MessagePart};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::person::{Name, Person, Salutation};
use rundbrief_templates::language::Language;
use serde_json::json;

use super::exit::{Code, Fault};
use super::issue::{Desk, chance};
use super::{Context, Open, subscriber};
use crate::delivery::transport;
use crate::issue::archive::Edition;
use crate::issue::inbox;
use crate::letter::reader::Recipient;
use crate::letter::splice::Reader;
use crate::letter::{dkim, enclosure};
use crate::smtp::envelope::Envelope;
use crate::smtp::mark::Mark;
use crate::smtp::scope::{self, Scope};
use crate::smtp::session::Session;
use crate::smtp::transaction::Mail;
use crate::smtp::{Answer, Outcome};
use crate::web;

/// What to write, and where.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Its number, or newsletter/number
    issue: String,
    /// Folder to write into; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What to send, and to whom.
#[derive(Debug, clap::Args)]
pub struct Test {
    /// Its number, or newsletter/number
    issue: String,
    /// Who gets the copy
    address: String,
}

/// Runs `issue preview`.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, open: &Open, arguments: Arguments) -> anyhow::Result<()> {
    let desk = Desk::open(open, &arguments.issue).await?;
    let address = EmailAddress::parse("leserin@example.org")?;
    let (given, family) = match desk.newsletter.definition.language {
        Language::German => ("Anna", "Beispiel"),
        Language::English => ("Anna", "Sample"),
    };
    let person = Person {
        salutation: Salutation::Unknown,
        given: Name::parse(given)?,
        family: Name::parse(family)?,
        language: None,
    };
    let mail = one_copy(open, &desk, &address, &person)?;
    let parsed = MessageParser::default().parse(&mail).context("the mail cannot be parsed")?;
    let words = |part: Option<&MessagePart<'_>>| {
        part.and_then(MessagePart::text_contents).unwrap_or_default().to_owned()
    };
    let folder = &arguments.out;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // A browser finds the pictures that go along with the mail beside the page.
    let mut html = words(parsed.html_part(0));
    let mut written = Vec::new();
    for picture in enclosure::shown(&html, &desk.pictures, &desk.office.domain) {
        written.push(write(folder, &picture.file, &picture.bytes)?);
    }
    for picture in &desk.pictures {
        html = html.replace(&desk.office.enclosed(&picture.file), &picture.file);
    }
    written.push(write(folder, "mail.txt", words(parsed.text_part(0)).as_bytes())?);
    written.push(write(folder, "mail.html", html.as_bytes())?);
    written.push(write(folder, "mail.eml", &mail)?);
    let issue = &desk.issue;
    let edition = Edition {
        id: issue.id.0,
        number: issue.number,
        subject: issue.subject.clone(),
        preheader: issue.preheader.clone(),
        content: String::new(),
        frozen_at: issue.frozen_at.unwrap_or_else(subscriber::now),
    };
    for piece in &desk.pieces {
        let page = web::archive::file(&desk.newsletter, &edition, piece, &desk.office.base);
        written.push(write(folder, &format!("article-{}.html", piece.name), page.as_bytes())?);
    }
    let sender = desk.newsletter.definition.sender.name.as_str();
    let zone = desk.newsletter.definition.time_zone.zone();
    let today = zone.to_datetime(subscriber::now().timestamp()).date();
    let lines = inbox::lines(sender, &issue.subject, &desk.material().beside(today)?);
    for line in &lines {
        context.output.remark(format_args!("{:<8} {}", line.inbox, line.shows));
    }
    let files: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    context.output.result(
        &json!({ "issue": issue.id, "files": files, "inbox": lines, "bytes": mail.len() }),
        files.join("\n"),
    );
    Ok(())
}

fn write(folder: &Path, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, content).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// One reader's mail, signed as it would be. Its links carry no subscriber, so that
/// following them changes nobody.
fn one_copy(
    open: &Open,
    desk: &Desk,
    address: &EmailAddress,
    person: &Person,
) -> anyhow::Result<Vec<u8>> {
    let now = subscriber::now().timestamp();
    let letter = desk.material().letter(now, chance()?)?;
    let recipient = Recipient { delivery: 0, subscriber: 0, address, person };
    let mut reader = Reader::default();
    reader.fill(&letter.head, &open.key.token(), &recipient);
    let mut mail = Vec::new();
    letter.splice(&reader, &mut mail);
    let keys = transport::keys(&open.config)?;
    let domain = desk.newsletter.definition.sender.address.domain();
    let mut signed = Vec::with_capacity(mail.len() + 2048);
    let keys = keys.iter().map(AsRef::as_ref).filter(|key: &&dkim::Key| key.signs_for(domain));
    let order = transport::order(&open.config, &desk.newsletter.definition.transports);
    let by = order.ok().and_then(|order| order[0].1.provider);
    dkim::sign_without(by.map_or(&[][..], Mark::replaces), keys, &mail, now, &mut signed);
    signed.extend_from_slice(&mail);
    Ok(signed)
}

/// Runs `issue test`.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn test(context: &Context, open: &Open, arguments: Test) -> anyhow::Result<()> {
    let address = EmailAddress::parse(arguments.address.trim())
        .map_err(|error| Fault::new(Code::Data, format!("the address {error}")))?;
    let desk = Desk::open(open, &arguments.issue).await?;
    let mail = one_copy(open, &desk, &address, &Person::default())?;
    let named = &desk.newsletter.definition.transports;
    let (name, settings) = transport::order(&open.config, named)?[0];
    let relay = transport::relay(name, settings, &open.config.mail.domain)?;
    let sender = open.config.mail.return_path.as_str();
    let mut envelope = Envelope::new(sender, address.as_str(), None)
        .map_err(|_| Fault::new(Code::Config, "mail.return_path is no address"))?;
    envelope.describe(&mail);
    context.output.remark(format_args!("handing one copy to [transport.{name}] …"));
    let outcome = match Session::open(&relay).await {
        Ok(mut session) => {
            let copy = Mail { envelope: &envelope, content: &mail };
            let outcome = session.send(copy, None, || true).await;
            session.quit().await;
            outcome
        }
        Err(outcome) => outcome,
    };
    let said = said(&outcome);
    let code = match scope::judge(&outcome) {
        Scope::Accepted => {
            context.output.result(
                &json!({ "issue": desk.issue.id, "accepted": true, "reply": said }),
                format_args!("accepted: {said}"),
            );
            return Ok(());
        }
        Scope::Never | Scope::Issue => Code::Data,
        Scope::Relay | Scope::Later | Scope::Unknown | Scope::Withheld => Code::TemporaryFailure,
    };
    let message = format!("[transport.{name}] at {}: {said}", outcome.stage.as_str());
    Err(Fault::new(code, message).into())
}

/// The server's own words, or why there are none.
fn said(outcome: &Outcome) -> String {
    match &outcome.answer {
        Answer::Reply(reply) => format!("{} {}", reply.code(), reply.words()),
        Answer::Broken(why) => why.to_string(),
        Answer::Withheld => "held back".to_owned(),
    }
}

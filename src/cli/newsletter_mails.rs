//! `rundbrief newsletter mails`: what readers and editors get beside the issues, to be
//! looked at. Nothing is sent, and no link leads to a reader.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_templates::mail::Mail;
use rundbrief_templates::samples::service::{self, Setting};
use serde_json::json;

use super::{Context, Open, subscriber};
use crate::delivery::transport;
use crate::letter::address::Office;
use crate::letter::dkim;
use crate::letter::enclosure::{self, Enclosure};
use crate::letter::single::{self, Cover};
use crate::newsletter::definition::Definition;
use crate::smtp::wire;

/// A person's answer, as it is handed on.
const REPLY: &[u8] = b"From: Kim Beispiel <kim@example.org>\r\n\
    To: bounce@example.org\r\n\
    Subject: Re: Newsletter\r\n\
    Date: Mon, 23 Nov 2026 09:12:00 +0100\r\n\
    Message-ID: <reply@example.org>\r\n\
    MIME-Version: 1.0\r\n\
    Content-Type: text/plain; charset=utf-8\r\n\
    \r\n\
    Danke!\r\n";

/// Whose, and where to.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The newsletter's short name
    newsletter: String,
    /// Folder to write into; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<()> {
    let open = context.open().await?;
    let newsletter = subscriber::newsletter_named(&open.store, &arguments.newsletter).await?;
    let definition = &newsletter.definition;
    let office = Office::of(&open.config)?;
    let pictures = enclosure::logos(&open.store, definition).await?;
    let brand = enclosure::brand(definition, &pictures, &office)?;
    let publication = definition.publication();
    let slug = definition.slug.as_str();
    let setting = Setting { publication: &publication, site: &office.base, slug };
    let folder = &arguments.out;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    // A browser finds the logo that goes along with the mails beside the pages.
    for picture in &pictures {
        write(folder, &picture.file, &picture.bytes)?;
    }
    for (name, mail) in service::of(&setting, &brand, definition.language) {
        let mut html = mail.html.clone();
        for picture in &pictures {
            html = html.replace(&office.enclosed(&picture.file), &picture.file);
        }
        let whole = message(&open, definition, &office, &pictures, name, &mail)?;
        let files = [
            write(folder, &format!("{name}.txt"), mail.text.as_bytes())?,
            write(folder, &format!("{name}.html"), html.as_bytes())?,
            write(folder, &format!("{name}.eml"), &whole)?,
        ];
        let files = files.map(|path| path.display().to_string());
        context.output.result(
            &json!({ "mail": name, "subject": mail.subject, "files": files }),
            format_args!("{name:<12} {}", mail.subject),
        );
    }
    context.output.remark(format_args!("written to {}", folder.display()));
    Ok(())
}

fn write(folder: &Path, name: &str, content: &[u8]) -> anyhow::Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, content).with_context(|| path.display().to_string())?;
    Ok(path)
}

/// The message, signed as it would be.
fn message(
    open: &Open,
    definition: &Definition,
    office: &Office,
    pictures: &[Enclosure],
    name: &str,
    mail: &Mail,
) -> anyhow::Result<Vec<u8>> {
    let now = subscriber::now().timestamp();
    let editors = &definition.sender.reply_to;
    let reader = EmailAddress::parse("leserin@example.org")?;
    let (to, attached) = match name {
        "reply" => (editors, Some(REPLY)),
        "invitation" | "draft" | "report" => (editors, None),
        _ => (&reader, None),
    };
    let cover = Cover {
        sender: definition.sender.name.as_str(),
        address: &definition.sender.address,
        reply_to: editors,
        to,
        date: &now.to_zoned(definition.time_zone.zone()),
        language: definition.language,
        token: &format!("sample-{name}"),
        domain: &office.domain,
        looped: &open.config.mail.return_path,
        pictures,
    };
    let mut content = single::message(&cover, mail, attached)?;
    if !wire::is_clean(&content) {
        content = wire::clean(&content);
    }
    let keys = transport::keys(&open.config)?;
    let domain = definition.sender.address.domain();
    let keys = keys.iter().map(AsRef::as_ref).filter(|key: &&dkim::Key| key.signs_for(domain));
    let mut signed = Vec::with_capacity(content.len() + 2048);
    dkim::sign(keys, &content, now, &mut signed);
    signed.extend_from_slice(&content);
    Ok(signed)
}

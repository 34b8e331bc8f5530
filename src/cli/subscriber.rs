//! `rundbrief subscriber`: who is on the list.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::consent::Act;
use rundbrief_subscribers::person::{Language, Name, Person, Salutation};
use rundbrief_subscribers::standing::{Reason, Standing};
use serde_json::{Value, json};

use super::exit::{Code, Fault};
use super::{Context, Open, export, import};
use crate::audit;
use crate::bounce::memory;
use crate::newsletter::{self, Newsletter};
use crate::store::Store;
use crate::store::value::Millis;
use crate::subscriber::standing::Cause;
use crate::subscriber::{self, Subscriber, consent, erase, standing, suppression};

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read a list from a CSV file
    Import(import::Arguments),
    /// Write a list as CSV
    Export(export::Arguments),
    /// Put somebody on a list whose consent you have
    Add(Add),
    /// Show everything that is stored about a person
    Show {
        /// The person's e-mail address
        address: String,
    },
    /// Take somebody off a list; they are not written to any more
    Remove {
        /// The person's e-mail address
        address: String,
        /// From this one only [default: from all]
        #[arg(long, value_name = "NAME")]
        newsletter: Option<String>,
    },
    /// Erase a person's data; no list brings them back
    Erase {
        /// The person's e-mail address
        address: String,
    },
}

/// Whom to add.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// The person's e-mail address
    address: String,
    /// The list
    #[arg(long, value_name = "NAME")]
    newsletter: String,
    /// Frau, Herr, divers
    #[arg(long, default_value = "")]
    salutation: String,
    /// Given name
    #[arg(long, default_value = "")]
    given_name: String,
    /// Family name
    #[arg(long, default_value = "")]
    family_name: String,
    /// The language they read, such as de [default: the newsletter's]
    #[arg(long)]
    language: Option<String>,
    /// Where their consent is kept
    #[arg(long, value_name = "TEXT", default_value = import::UNSTATED)]
    consent: String,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    match command {
        Command::Import(arguments) => return import::run(context, &open, arguments).await,
        Command::Export(arguments) => export::run(context, &open, arguments).await?,
        Command::Add(arguments) => add(context, &open, arguments).await?,
        Command::Show { address } => show(context, &open, &address).await?,
        Command::Remove { address, newsletter } => {
            remove(context, &open, &address, newsletter.as_deref()).await?;
        }
        Command::Erase { address } => erase_person(context, &open, &address).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// This moment.
#[expect(clippy::disallowed_methods, reason = "a command begins now")]
pub(super) fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}

/// Who sits at the keyboard, for the audit log.
pub(super) fn actor() -> String {
    let name = ["SUDO_USER", "USER"].into_iter().find_map(|name| std::env::var(name).ok());
    format!("command line ({})", name.as_deref().unwrap_or("unknown"))
}

/// The newsletter of this name.
pub(super) async fn newsletter_named(store: &Store, name: &str) -> anyhow::Result<Newsletter> {
    let found = newsletter::find(store, name).await?;
    found.ok_or_else(|| {
        let message =
            format!("there is no newsletter {name:?}. `rundbrief newsletter list` shows which are");
        Fault::new(Code::Data, message).into()
    })
}

fn parse_address(text: &str) -> anyhow::Result<EmailAddress> {
    EmailAddress::parse(text.trim())
        .map_err(|error| Fault::new(Code::Data, format!("the address {error}")).into())
}

async fn known(open: &Open, text: &str) -> anyhow::Result<Subscriber> {
    let address = parse_address(text)?;
    let found = subscriber::find(&open.store, &address).await?;
    found.ok_or_else(|| Fault::new(Code::Data, "nobody has this address").into())
}

/// What every command says about a person.
pub(super) fn describe(subscriber: &Subscriber) -> Value {
    let person = &subscriber.person;
    json!({
        "subscriber": subscriber.id,
        "address": subscriber.address,
        "salutation": person.salutation,
        "given_name": person.given,
        "family_name": person.family,
        "language": person.language,
        "created_at": subscriber.created_at.to_string(),
    })
}

async fn add(context: &Context, open: &Open, arguments: Add) -> anyhow::Result<()> {
    let address = parse_address(&arguments.address)?;
    let newsletter = newsletter_named(&open.store, &arguments.newsletter).await?;
    let person = person(&arguments)?;
    let key = open.key.suppression();
    let now = now();
    let mut tx = open.store.begin().await?;
    if let Some(reason) = suppression::reason(&mut tx, &key.hash(&address)).await? {
        let word = reason.as_str();
        let remedy = if reason.lifted_by_confirmation() {
            "only their own new sign-up lifts that"
        } else {
            "nothing is sent there"
        };
        bail!(Fault::new(Code::Data, format!("this address is suppressed ({word}); {remedy}")));
    }
    let id = subscriber::ensure(&mut tx, &key, &address, &person, now).await?;
    let begun = standing::begin(&mut tx, id, newsletter.id, Standing::Active, now).await?;
    if begun.is_some() {
        let told = (arguments.consent.as_str(), "command line");
        consent::record(&mut tx, id, newsletter.id, Act::Added, told, now).await?;
    }
    tx.commit().await?;
    let subscriptions = standing::of(&open.store, id).await?;
    let here = subscriptions.iter().find(|one| one.newsletter == newsletter.id);
    let standing = here.map(|one| one.standing).context("the subscription just stored")?;
    if begun.is_none() && standing != Standing::Active {
        let message = format!(
            "this person is on the list as {standing}; only they themselves, or an editor with a reason, change that"
        );
        bail!(Fault::new(Code::Data, message));
    }
    let said = if begun.is_some() { "added" } else { "was on the list already" };
    context.output.result(
        &json!({
            "subscriber": id, "newsletter": arguments.newsletter,
            "standing": standing, "added": begun.is_some(),
        }),
        format_args!("subscriber {id}: {said}"),
    );
    Ok(())
}

fn person(arguments: &Add) -> anyhow::Result<Person> {
    let usage = |option: &str, error: &dyn std::fmt::Display| {
        Fault::new(Code::Usage, format!("{option} {error}"))
    };
    let salutation = Salutation::recognise(&arguments.salutation)
        .ok_or_else(|| usage("--salutation", &"is one of Frau, Herr, divers"))?;
    let name = |option, text: &str| Name::parse(text).map_err(|error| usage(option, &error));
    let language = arguments.language.as_deref().map(Language::recognise).transpose();
    Ok(Person {
        salutation,
        given: name("--given-name", &arguments.given_name)?,
        family: name("--family-name", &arguments.family_name)?,
        language: language.map_err(|error| usage("--language", &error))?,
    })
}

async fn show(context: &Context, open: &Open, text: &str) -> anyhow::Result<()> {
    let address = parse_address(text)?;
    let mut tx = open.store.begin().await?;
    let suppressed = suppression::reason(&mut tx, &open.key.suppression().hash(&address)).await?;
    tx.rollback().await?;
    let suppressed = suppressed.map(|reason| reason.as_str());
    let Some(subscriber) = subscriber::find(&open.store, &address).await? else {
        let Some(reason) = suppressed else {
            bail!(Fault::new(Code::Data, "nobody has this address"));
        };
        let object = json!({"address": address, "suppressed": reason});
        context.output.result(&object, format_args!("not stored; suppressed: {reason}"));
        return Ok(());
    };
    let subscriptions = standing::of(&open.store, subscriber.id).await?;
    let events = standing::events(&open.store, subscriber.id).await?;
    let consents = consent::of(&open.store, subscriber.id).await?;
    let kept = memory::of(&open.store, subscriber.id).await?;
    let mut object = describe(&subscriber);
    object["suppressed"] = json!(suppressed);
    object["subscriptions"] = subscriptions
        .iter()
        .map(|one| {
            json!({
                "newsletter": one.slug, "standing": one.standing, "since": one.since.to_string(),
                "paused_until": one.paused_until.map(|at| at.to_string()),
            })
        })
        .collect();
    object["events"] = events
        .iter()
        .map(|one| {
            json!({
                "newsletter": one.newsletter, "was": one.was, "became": one.became,
                "reason": one.reason, "evidence": one.evidence.0, "at": one.at.to_string(),
            })
        })
        .collect();
    object["consents"] = consents
        .iter()
        .map(|one| {
            json!({
                "newsletter": one.newsletter, "act": one.act, "wording": one.wording,
                "source": one.source, "at": one.at.to_string(),
            })
        })
        .collect();
    object["bounces"] = json!(kept.bounces);
    object["remembered"] = json!(kept.remembered);
    object["errands"] = json!(kept.errands);
    context.output.result(&object, format_args!("{object:#}"));
    Ok(())
}

async fn remove(
    context: &Context,
    open: &Open,
    text: &str,
    newsletter: Option<&str>,
) -> anyhow::Result<()> {
    let subscriber = known(open, text).await?;
    let only = match newsletter {
        Some(name) => Some(newsletter_named(&open.store, name).await?.id),
        None => None,
    };
    let subscriptions = standing::of(&open.store, subscriber.id).await?;
    let evidence = json!({ "actor": actor() });
    let cause = Cause { reason: Reason::Editor, evidence: &evidence, at: now() };
    let mut removed = Vec::new();
    let mut tx = open.store.begin().await?;
    for one in subscriptions.iter().filter(|one| only.is_none_or(|only| one.newsletter == only)) {
        let wording = "taken off the list by whoever runs it";
        let left = standing::leave(&mut tx, subscriber.id, one.newsletter, wording, cause).await?;
        if left.is_some_and(|change| change.was != change.became) {
            removed.push(one.slug.as_str());
        }
    }
    tx.commit().await?;
    let said = if removed.is_empty() { "nothing to do".to_owned() } else { removed.join(", ") };
    context.output.result(
        &json!({"subscriber": subscriber.id, "removed": removed}),
        format_args!("subscriber {}: {said}", subscriber.id),
    );
    Ok(())
}

async fn erase_person(context: &Context, open: &Open, text: &str) -> anyhow::Result<()> {
    let subscriber = known(open, text).await?;
    let now = now();
    let mut tx = open.store.begin().await?;
    let report = erase::erase(&mut tx, &open.key.suppression(), &subscriber, now).await?;
    let detail = json!(report);
    let act = audit::Act {
        actor: &actor(),
        act: "erase",
        noun: "subscriber",
        id: Some(subscriber.id.0),
        detail: &detail,
    };
    audit::record(&mut tx, act, now).await?;
    tx.commit().await?;
    context.output.result(
        &json!({
            "subscriber": subscriber.id, "erased_at": now.to_string(),
            "subscriptions": report.subscriptions, "cancelled": report.cancelled,
            "replies": report.replies, "bounces": report.bounces, "proofs": report.proofs,
            "proofs_until": report.proofs_until.to_string(),
        }),
        format_args!(
            "subscriber {} erased at {now}.\n\
             {} subscriptions and all personal data are gone; {} mails that waited are cancelled;\n\
             {} server replies and {} returned mails no longer name the address.\n\
             Kept: a keyed hash, so that no list brings the address back, and {} records of\n\
             consent under that hash, as proof, until {}.",
            subscriber.id,
            report.subscriptions,
            report.cancelled,
            report.replies,
            report.bounces,
            report.proofs,
            report.proofs_until,
        ),
    );
    Ok(())
}

//! All of it on loopback with sample data: a town that does not exist, two
//! newsletters, two hundred readers, a mail server that plays all the others.
//!
//! Every step is the real one: articles come from folders through a source, readers
//! from CSV through the import, mails leave through the ledger and a session, reports
//! come back through a Maildir. Only the clock is put forward, so that nobody has to
//! wait for a server that says *later*.

pub mod catcher;
pub mod page;
pub mod picture;
pub mod reader;
pub mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Serialize;
use tokio::sync::watch;

use crate::daemon::tick::{Hands, Next, Tick};
use crate::delivery::sums::{self, Sums};
use crate::delivery::worker::Round;
use crate::issue::{self, IssueId, draft, due, preflight};
use crate::letter::address::Office;
use crate::newsletter::{self, Newsletter};
use crate::store::value::Millis;
use reader::{Language, Temper};
use world::World;

/// The relay is on this machine: longer than this and something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// How far behind the next try the clock is put, so that others' tries come with it.
const STEP: Duration = Duration::from_secs(10 * 60);

/// What the demo says while it works.
#[derive(Clone, Copy, Debug)]
pub enum Said<'a> {
    /// A step has begun or ended.
    Step(&'a str),
    /// So many mails of so many have arrived.
    Sent(u64, u64),
}

/// Who is told.
pub type Tell<'a> = &'a (dyn Fn(Said<'_>) + Sync);

/// One issue's books, as `issue report --json` prints them, and what the mail server saw.
#[derive(Clone, Debug, Serialize)]
pub struct Book {
    /// The issue's key.
    pub issue: i64,
    /// The newsletter's short name.
    pub newsletter: String,
    /// Where the issue is.
    pub state: String,
    /// The sums.
    #[serde(flatten)]
    pub sums: Sums,
    /// Mails of it that the mail server took.
    pub caught: i64,
    /// Whether everything is as it must be.
    pub adds_up: bool,
}

/// How far the demo's clock is ahead, in milliseconds.
static AHEAD: AtomicI64 = AtomicI64::new(0);

#[expect(clippy::disallowed_methods, reason = "the demo has a clock of its own")]
fn clock() -> Millis {
    Millis(jiff::Timestamp::now().as_millisecond() + AHEAD.load(Ordering::Relaxed))
}

/// Puts the clock forward to a moment; never back.
fn put_forward(to: Millis) {
    let by = to.0 - clock().0 + 1;
    if by > 0 {
        AHEAD.fetch_add(by, Ordering::Relaxed);
    }
}

/// Sends both newsletters and answers their books.
///
/// # Errors
/// Something that cannot happen in a demo: no loopback, no temporary directory.
pub async fn send(world: &World, tell: Tell<'_>) -> anyhow::Result<Vec<Book>> {
    let (_stop, stopping) = watch::channel(false);
    let tick = Tick::begin(&world.open, clock, stopping)?;
    let hands = Hands::begin(&world.open, clock).await?;
    for language in [Language::German, Language::English] {
        world.subscribe(language, clock()).await?;
        world.add_source(language, clock()).await?;
    }
    while tick.source().await? == Next::Again {}
    tell(Said::Step("articles read, pictures painted, 200 readers imported"));
    let mut issues = Vec::new();
    for newsletter in newsletter::list(&world.open.store).await?.newsletters {
        let issue = compose(world, &newsletter).await?;
        tell(Said::Step(&format!("{}: issue composed and queued", newsletter.definition.title)));
        issues.push((newsletter, issue));
    }
    while tick.schedule().await? == Next::Again {}
    deliver(world, &hands, &issues, tell).await?;
    while tick.bounce().await? == Next::Again {}
    hands.end().await?;
    let mut books = Vec::new();
    for (newsletter, issue) in &issues {
        books.push(book(world, newsletter, *issue).await?);
    }
    Ok(books)
}

async fn compose(world: &World, newsletter: &Newsletter) -> anyhow::Result<IssueId> {
    let store = &world.open.store;
    let now = clock().timestamp();
    let mut tx = store.begin().await?;
    let composed = draft::compose(&mut tx, newsletter, None, now).await?;
    tx.commit().await?;
    let id = composed.issue.context("the demo's folders have articles")?;
    let office = Office::of(&world.open.config)?;
    let issue = issue::get(store, id).await?.context("the issue that was just composed")?;
    let findings = due::findings(store, &issue, newsletter, &office, now).await?;
    if preflight::blocked(&findings) {
        bail!("the demo's own issue is blocked: {findings:?}");
    }
    let mut tx = store.begin().await?;
    issue::queue(&mut tx, id, Millis::from(now), "demo", now).await?;
    tx.commit().await?;
    Ok(id)
}

/// Until every mail has come to an end. Whoever asked to come back later is come back
/// to at once: the clock is put forward.
async fn deliver(
    world: &World,
    hands: &Hands,
    issues: &[(Newsletter, IssueId)],
    tell: Tell<'_>,
) -> anyhow::Result<()> {
    let of = (reader::GERMAN + reader::ENGLISH) as u64;
    let started = std::time::Instant::now();
    let mut waited = false;
    loop {
        match hands.round().await?.context("the demo has a relay")? {
            Round::Busy => {}
            Round::Idle(Some(next)) => {
                if !waited {
                    tell(Said::Step("some servers said: later. The clock is put forward for them"));
                }
                waited = true;
                put_forward(next.after(STEP));
            }
            Round::Idle(None) => {
                let mut open = 0;
                for (_, issue) in issues {
                    open += sums::of(&world.open.store, *issue).await?.open();
                }
                if open == 0 {
                    break;
                }
            }
            Round::Blocked(until) => put_forward(until),
        }
        tell(Said::Sent(world.catcher.count() as u64, of));
        if started.elapsed() > PATIENCE {
            bail!("the mail server on loopback takes nothing. Is something between?");
        }
    }
    Ok(())
}

/// Looks at one issue from both sides: the ledger, and what the mail server took.
async fn book(world: &World, newsletter: &Newsletter, id: IssueId) -> anyhow::Result<Book> {
    let store = &world.open.store;
    let issue = issue::get(store, id).await?.context("the issue that was just sent")?;
    let sums = sums::of(store, id).await?;
    let language = Language::of(newsletter.definition.slug.as_str());
    let readers = reader::addresses(language);
    let count = |wanted: fn(Temper) -> bool| {
        readers.iter().filter(|address| wanted(Temper::of(address))).count() as i64
    };
    let refusing = count(|temper| temper == Temper::Refusing);
    let bouncing = count(|t| matches!(t, Temper::BouncingHard | Temper::BouncingSoft));
    let mails = world.catcher.mails();
    let caught = mails.iter().filter(|mail| mail.to.iter().any(|to| readers.contains(to))).count();
    let adds_up = sums.add_up()
        && sums.open() == 0
        && sums.total == readers.len() as i64
        && sums.accepted == caught as i64
        && sums.failed == refusing
        && sums.bounced == bouncing;
    Ok(Book {
        issue: id.0,
        newsletter: newsletter.definition.slug.to_string(),
        state: issue.state.to_string(),
        sums,
        caught: caught as i64,
        adds_up,
    })
}

/// Shows everything until somebody asks to stop.
///
/// # Errors
/// The listener failed.
pub async fn stay(
    world: World,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let World { open, catcher, listener, directory } = world;
    let site = world::site(&open, &listener)?;
    let router = page::router(site, Arc::clone(&catcher));
    axum::serve(listener, router).with_graceful_shutdown(stop).await?;
    open.store.close().await;
    drop(directory);
    Ok(())
}

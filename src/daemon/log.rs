//! Where events go: standard error, one event a line.
//!
//! Under systemd each line begins with its priority (sd-daemon(3)), so that
//! `journalctl -p warning` works, and the journal adds the time. Elsewhere time and
//! level stand in front. Events hold no address and no token; that is their
//! writers' duty, and a test reads a whole run's log for it.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Starts logging at this level, or by directives such as `info,rundbrief::smtp=debug`.
///
/// # Errors
/// The directives cannot be read.
pub fn start(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        anyhow::anyhow!(
            "log.level {level:?}: {error}; allowed: error, warn, info, debug, or info,rundbrief::smtp=debug"
        )
    })?;
    let line = Line { journal: to_journal() };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .event_format(line);
    // A second start in one process (a test, the demo) keeps the first.
    let _ = subscriber.try_init();
    Ok(())
}

/// Whether standard error is the journal: systemd names its device and inode.
fn to_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(ours) = std::fs::metadata("/proc/self/fd/2") else { return false };
    named == format!("{}:{}", ours.dev(), ours.ino())
}

struct Line {
    journal: bool,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        context.format_fields(Writer::new(&mut text), event)?;
        let level = *event.metadata().level();
        if self.journal {
            write!(writer, "<{}>", priority(level))?;
        } else {
            write!(writer, "{} {level:5} ", time())?;
        }
        one_line(&mut writer, &text)
    }
}

/// The numbers of syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[expect(clippy::disallowed_methods, reason = "a log line says when it was written")]
fn time() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}

/// Whatever a server said with line breaks or control characters stays on its line.
fn one_line(writer: &mut Writer<'_>, text: &str) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\n' => writer.write_str("\\n")?,
            c if c.is_control() => write!(writer, "{}", c.escape_default())?,
            c => writer.write_char(c)?,
        }
    }
    writer.write_char('\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_a_server_said() {
        let mut text = String::new();
        one_line(&mut Writer::new(&mut text), "reply=\"550 no\r\nthis\u{1b}[31m\"").unwrap();
        assert_eq!(text, "reply=\"550 no\\r\\nthis\\u{1b}[31m\"\n");
    }

    #[test]
    fn journal_priorities_are_syslogs() {
        assert_eq!(
            [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG].map(priority),
            [3, 4, 6, 7]
        );
    }
}

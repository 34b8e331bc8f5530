//! Results on standard output, remarks on standard error.

use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal as _, Write as _};

use serde::Serialize;

/// Where results go, and in which form.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON objects, one a line, or text for people.
    pub fn new(json: bool) -> Self {
        Output { json }
    }

    /// Whether JSON was asked for.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Whether a progress bar would be seen: standard error is a terminal.
    pub fn is_terminal(self) -> bool {
        std::io::stderr().is_terminal()
    }

    /// Prints one result: `record` as JSON, or `text` for people.
    pub fn result(self, record: &impl Serialize, text: impl Display) {
        if self.json {
            match serde_json::to_string(record) {
                Ok(line) => write_line(&line),
                Err(error) => eprintln!("rundbrief: a result cannot be written as JSON: {error}"),
            }
        } else {
            write_line(&text);
        }
    }

    /// Says on standard error what is being done or was noticed.
    pub fn remark(self, text: impl Display) {
        eprintln!("{text}");
    }
}

/// A reader that went away (`| head`) ends the program as it ends others; it is no error.
fn write_line(line: &impl Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}")
        && error.kind() == ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

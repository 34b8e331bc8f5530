//! What a reader of foreign text could not use: the place and the reason.

use std::fmt;

use serde::Serialize;

/// One remark about an input; the rest of the input went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line of the input, from 1, where it can be told.
    pub line: Option<usize>,
    /// What is wrong and what became of it.
    pub reason: String,
}

impl Finding {
    /// A remark about the input as a whole.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into() }
    }

    /// A remark about a line.
    pub fn at(line: usize, reason: impl Into<String>) -> Self {
        Self { line: Some(line), reason: reason.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

/// What reading one input gives: the article and the remarks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The article as read.
    pub record: crate::article::Record,
    /// What was left out or looks wrong.
    pub findings: Vec<Finding>,
}

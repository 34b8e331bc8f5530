//! All of it on loopback with sample data.

pub mod catcher;
pub mod page;
pub mod picture;
pub mod reader;

//! All of it on loopback with sample data.

pub mod picture;

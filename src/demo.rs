//! All of it on loopback with sample data.

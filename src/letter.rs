//! An issue rendered and frozen: MIME parts with slots, spliced per reader.

pub mod dkim;
pub mod mime;
pub mod splice;

//! Where articles come from.

pub mod block;
pub mod charset;
pub mod credit;
pub mod date;
pub mod describe;
pub mod feed;
pub mod fetch;
pub mod finding;
pub mod folder;
pub mod gallery;
pub mod head;
pub mod inline;
pub mod kicker;
pub mod landmark;
pub mod noise;
pub mod page;
pub mod phrases;
pub mod prose;
pub mod reach;
pub mod salvage;
pub mod sanitise;
pub mod selector;
pub mod text;
pub mod walk;

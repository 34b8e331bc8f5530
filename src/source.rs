//! Where articles come from.

pub mod block;
pub mod credit;
pub mod date;
pub mod describe;
pub mod finding;
pub mod kicker;
pub mod page;
pub mod phrases;
pub mod prose;
pub mod sanitise;
pub mod text;

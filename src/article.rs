//! One article record: what a source yields and an issue shows.

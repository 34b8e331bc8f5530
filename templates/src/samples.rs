//! Made-up content in every size and shape, for tests and previews.

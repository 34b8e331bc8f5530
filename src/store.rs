//! One pool, one transaction type, two databases.

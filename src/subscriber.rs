//! SQL for the list; its rules live in the crate rundbrief-subscribers.

//! The rules of the list, pure: time and keys are arguments.

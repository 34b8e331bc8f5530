//! One binary for all tests that need more than a function.

mod app;
mod house;
mod postgres;
mod tidy;

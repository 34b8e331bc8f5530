//! Rundbrief turns articles into newsletters and gets every single mail to its
//! reader, or knows why not.

pub mod config;
pub mod store;

pub mod article;
pub mod source;

pub mod issue;
pub mod newsletter;
pub mod schedule;

pub mod letter;
pub mod subscriber;

pub mod bounce;
pub mod delivery;
pub mod smtp;

pub mod cli;
pub mod daemon;
pub mod demo;
pub mod doctor;
pub mod metrics;
pub mod web;

//! What DNS, TLS, relay, clock and disk look like from here.

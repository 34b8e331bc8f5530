//! What came back: failure, delay, complaint, auto-reply, or unclear.

//! The SMTP session as client, and as the server that receives bounces.

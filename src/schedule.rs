//! Pure: cron expression and time zone to the next moments.

select
    -- Each count reads a partial index and no row.
    (select count(*) from delivery where state in ('queued', 'deferred')),
    (select count(*) from delivery where state = 'claimed'),
    (select count(*) from delivery where state = 'sending'),
    (select count(*) from delivery where state = 'unknown'),
    (select count(*) from worker where stopped_at is null and heartbeat_at > $1),
    (select count(*) from bounce where verdict = 'new'),
    (select count(*) from bounce where verdict = 'review')

select
    -- From the books; workers' are among them. The words of the partial index stand in
    -- every count, so that none of them reads deliveries that came to their end.
    (select cast(coalesce(sum(deliveries), 0) as bigint)
     from tally
     where place in ('waiting', 'deferred')),
    (select count(*)
     from delivery
     where (state in ('claimed', 'sending') or state = 'unknown') and state = 'claimed'),
    (select count(*)
     from delivery
     where (state in ('claimed', 'sending') or state = 'unknown') and state = 'sending'),
    (select count(*)
     from delivery
     where (state in ('claimed', 'sending') or state = 'unknown') and state = 'unknown'),
    (select count(*) from worker where stopped_at is null and heartbeat_at > $1),
    (select count(*) from bounce where verdict = 'new'),
    (select count(*) from bounce where verdict = 'review')

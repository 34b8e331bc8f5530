update delivery as d
set state = 'queued',
    cause = null,
    worker_id = null,
    -- A day of tries begins anew.
    attempts = 0,
    deaths = 0,
    next_at = 0,
    stage = null,
    code = null,
    reply = null,
    changed_at = $4
where d.issue_id = $1
  and d.id > $2
  and d.id <= $3
  -- These words are the ones of the partial index delivery_missing.
  and (d.state in ('deferred', 'failed') or d.state in ('unknown', 'cancelled') or d.evidence in ('bounced', 'complained'))

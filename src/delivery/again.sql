update delivery
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
    changed_at = $5
where issue_id = $1
  and id > $2
  and id <= $3
  -- These words are the ones of the partial index delivery_missing.
  and (state in ('deferred', 'failed') or state in ('unknown', 'cancelled') or evidence in ('bounced', 'complained'))
  and (state = 'failed' and cause in ('expired', 'unknown') or state = 'cancelled')
  and coalesce(evidence, '') not in ('bounced', 'complained', 'delivered')
  -- Still, or again, wanted.
  and exists (
      select 1
      from subscription s
      where s.subscriber_id = delivery.subscriber_id
        and s.newsletter_id = $4
        and s.standing = 'active')
  and not exists (select 1 from suppression x where x.address_hash = delivery.address_hash)

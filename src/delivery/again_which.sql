    -- Of a delivery d: whether it goes out again when an issue is sent to those who miss it.
    -- Tried in vain, or skipped.
    (d.state = 'failed' and d.cause in ('expired', 'unknown') or d.state = 'cancelled')
    -- No server said that it has it, or had it.
    and coalesce(d.evidence, '') not in ('bounced', 'complained', 'delayed', 'delivered')
    -- Still, or again, wanted.
    and exists (
        select 1
        from issue wanted
        join subscription s on s.newsletter_id = wanted.newsletter_id
        where wanted.id = d.issue_id
          and wanted.state <> 'cancelled'
          and s.subscriber_id = d.subscriber_id
          and s.standing = 'active')
    and not exists (select 1 from suppression x where x.address_hash = d.address_hash)

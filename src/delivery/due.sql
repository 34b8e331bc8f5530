select
    d.id,
    d.subscriber_id,
    d.generation + 1 as generation,
    d.attempts,
    d.next_at,
    d.domain,
    r.address,
    r.salutation,
    r.given_name,
    r.family_name,
    -- Still wanted: neither left, paused nor suppressed since the freeze.
    cast(case
        when s.standing = 'active'
            and not exists (select 1 from suppression x where x.address_hash = d.address_hash)
        then 1
        else 0
    end as bigint) as wanted
from delivery d
join issue i on i.id = d.issue_id and i.state = 'sending'
left join subscriber r on r.id = d.subscriber_id
left join subscription s on s.subscriber_id = d.subscriber_id and s.newsletter_id = i.newsletter_id
where d.issue_id = $1
  -- These words are the ones of the partial index delivery_due.
  and d.state in ('queued', 'deferred')
  and d.next_at <= $2
  -- Behind what the last claim took.
  and (d.next_at, d.id) > ($3, $4)
order by d.next_at, d.id
limit $5

select
    d.id,
    r.address,
    d.state,
    d.cause,
    cast(d.code as bigint) as code,
    -- A mail that was taken and came back: the relay's "250" says nothing.
    coalesce(
        case
            when d.evidence = 'bounced'
            then (
                select b.report -> 'recipients' -> 0 ->> 'reply'
                from bounce b
                where b.delivery_id = d.id and b.kind = 'failure'
                order by b.id
                limit 1)
            else d.reply
        end,
        '') as words,
    cast(case when d.evidence = 'bounced' then 1 else 0 end as bigint) as bounced,
    s.standing,
    cast(case
        when exists (select 1 from suppression x where x.address_hash = d.address_hash)
        then 1
        else 0
    end as bigint) as suppressed,
    d.changed_at as since
from delivery d
join issue i on i.id = d.issue_id
left join subscriber r on r.id = d.subscriber_id
left join subscription s on s.subscriber_id = d.subscriber_id and s.newsletter_id = i.newsletter_id
where d.issue_id = $1
  and d.id > $2
  -- These words are the ones of the partial index delivery_missing.
  and (d.state in ('deferred', 'failed') or d.state in ('unknown', 'cancelled') or d.evidence in ('bounced', 'complained'))
  -- Who complained got it.
  and (d.state <> 'accepted' or d.evidence = 'bounced')
order by d.id
limit $3

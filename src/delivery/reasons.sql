select state, domain, code, words, count(*) as readers
from (
    select
        d.state,
        d.domain,
        cast(case when d.evidence = 'bounced' then null else d.code end as bigint) as code,
        coalesce(
            case
                -- A mail that was taken and came back: the relay's "250" says nothing.
                when d.evidence = 'bounced'
                then (
                    select coalesce(b.report -> 'recipients' -> 0 ->> 'reason', '')
                        || coalesce(': ' || (b.report -> 'recipients' -> 0 ->> 'reply'), '')
                    from bounce b
                    where b.delivery_id = d.id and b.kind = 'failure'
                    order by b.id
                    limit 1)
                else d.reply
            end,
            d.cause,
            '') as words
    from delivery d
    where d.issue_id = $1
      -- These words are the ones of the partial index delivery_missing.
      and (d.state in ('deferred', 'failed') or d.state in ('unknown', 'cancelled') or d.evidence in ('bounced', 'complained'))
      and (d.state in ('deferred', 'failed', 'unknown') or d.evidence = 'bounced')
    order by d.id
    limit $3
) as troubled
group by state, domain, code, words
order by readers desc, domain, state
limit $2

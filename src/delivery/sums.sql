select place, cast(sum(deliveries) as bigint) as deliveries
from tally
where issue_id = $1
group by place
union all
-- Few, and in this order in the index of what workers hold.
select state, count(*)
from delivery
where issue_id = $1
  and (state in ('claimed', 'sending') or state = 'unknown')
  and state <> 'unknown'
group by state
union all
select 'total', coalesce(total, 0)
from issue
where id = $1

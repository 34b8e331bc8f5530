update delivery
set state = 'queued',
    cause = null,
    worker_id = null,
    -- What was given up begins anew; what is open goes on.
    attempts = case when state = 'failed' then 0 else attempts end,
    deaths = case when state = 'failed' then 0 else deaths end,
    next_at = 0,
    changed_at = $3
from json_each($2) as o
where delivery.id = cast(o.key as integer)
  and generation = o.value
  and issue_id = $1
  and (state = 'unknown' or state = 'failed' and cause in ('unknown', 'poison'))

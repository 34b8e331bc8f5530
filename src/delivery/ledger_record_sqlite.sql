update delivery
set state = o.value ->> 1,
    -- An unknown one keeps its worker: that journal may still prove something.
    worker_id = case when o.value ->> 1 = 'unknown' then worker_id end,
    cause = o.value ->> 2,
    next_at = o.value ->> 3,
    attempts = attempts - case when state = 'sending' then o.value ->> 4 else 0 end,
    stage = o.value ->> 5,
    code = o.value ->> 6,
    reply = o.value ->> 7,
    changed_at = $3
from json_each($1) as o
where delivery.id = cast(o.key as integer)
  and generation = o.value ->> 0
  and worker_id = $2
  -- Only going back to the queue is possible from claimed.
  and (state = 'sending' or state = 'claimed' and o.value ->> 1 = 'queued')

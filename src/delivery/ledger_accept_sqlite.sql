update delivery
set state = 'accepted',
    worker_id = null,
    stage = 'dot',
    code = o.value ->> 1,
    reply = o.value ->> 2,
    changed_at = $3
from json_each($1) as o
where delivery.id = cast(o.key as integer)
  and generation = o.value ->> 0
  and worker_id = $2
  -- A relay that says yes is believed even where we had given up waiting.
  and state in ('sending', 'unknown')

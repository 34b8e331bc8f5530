update delivery
set state = 'failed',
    cause = 'unknown',
    worker_id = null,
    changed_at = $3
from json_each($2) as o
where delivery.id = cast(o.key as integer)
  and generation = o.value
  and issue_id = $1
  and state = 'unknown'

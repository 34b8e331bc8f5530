update delivery
set state = 'failed',
    cause = 'unknown',
    worker_id = null,
    changed_at = $3
from json_each_text($2::json) as o
where id = o.key::bigint
  and generation = o.value::bigint
  and issue_id = $1
  and state = 'unknown'

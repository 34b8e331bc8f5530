update delivery
set state = 'accepted',
    worker_id = null,
    stage = 'dot',
    -- A value is the generation, the code in three digits (000: none), and the words.
    code = nullif(cast(substr(o.value, instr(o.value, ' ') + 1, 3) as integer), 0),
    reply = substr(o.value, instr(o.value, ' ') + 5),
    changed_at = $3
from json_each($1) as o
where delivery.id = cast(o.key as integer)
  and generation = cast(o.value as integer)
  and worker_id = $2
  -- A relay that says yes is believed even where we had given up waiting.
  and state in ('sending', 'unknown')

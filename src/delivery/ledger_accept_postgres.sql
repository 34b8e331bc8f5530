update delivery
set state = 'accepted',
    worker_id = null,
    stage = 'dot',
    code = o.code,
    reply = o.words,
    changed_at = $3
from unnest($1::bigint[], $4::bigint[], $5::bigint[], $6::text[]) as o (id, generation, code, words)
where delivery.id = o.id
  and delivery.generation = o.generation
  and worker_id = $2
  -- A relay that says yes is believed even where we had given up waiting.
  and state in ('sending', 'unknown')

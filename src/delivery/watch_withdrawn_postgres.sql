select d.id
from json_each_text($1::json) as o
join delivery d on d.id = o.key::bigint
join issue i on i.id = d.issue_id
left join subscription s on s.subscriber_id = d.subscriber_id and s.newsletter_id = i.newsletter_id
where coalesce(s.standing, 'left') <> 'active'
   or exists (select 1 from suppression x where x.address_hash = d.address_hash)

with gone as (
    delete from tally
    where issue_id in (select issue_id from tally group by issue_id having count(*) > $1)
    returning issue_id, place, deliveries
)
insert into tally (issue_id, place, deliveries)
select issue_id, place, sum(deliveries)
from gone
group by issue_id, place
having sum(deliveries) <> 0

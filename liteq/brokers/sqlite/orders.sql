-- Orders to workers, and their answers.

-- name: order
insert or ignore into liteq_order (call, worker, name, arguments, sent, expires)
values (?, ?, ?, ?, ?, ?)

-- name: listeners_of
-- `:workers` is a JSON list of numbers.
select address from liteq_listener where worker in (select value from json_each(:workers))

-- name: orders
-- Arguments that are too long are not read.
select call, worker, name,
  case when length(arguments) <= :longest then arguments else length(arguments) end, sent, expires
from liteq_order where worker = :worker and answered is null and expires > :now
order by sent limit :most

-- name: answer
update liteq_order set answered = ?, answer = ? where call = ? and worker = ? and answered is null

-- name: answers
select call, worker, answer from liteq_order where call = ? and answered is not null order by worker

-- name: sweep_orders
delete from liteq_order where expires <= ?

-- name: oldest
-- `:queues` is a JSON list of names. Of each queue and each priority the first task is looked at, as
-- the index of ready tasks has them: with a million of them it takes no longer than with ten.
with recursive level (queue, priority) as (
  select value, (
    select max(priority) from liteq_task t where t.phase = {READY} and t.queue = value
  ) from json_each(:queues)
  union all
  select l.queue, (
    select max(priority) from liteq_task t
    where t.phase = {READY} and t.queue = l.queue and t.priority < l.priority
  ) from level l where l.priority is not null limit 1000
)
select min(max(t.created, coalesce(t.eta, t.created))) from level l join liteq_task t on t.seq = (
  select seq from liteq_task f
  where f.phase = {READY} and f.queue = l.queue and f.priority = l.priority order by seq limit 1
) where l.priority is not null

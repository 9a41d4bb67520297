-- Unique keys of tasks.

-- name: holders
-- Who has, or had, a key, but for the task that asks; the newest first. `cast`: whatever another
-- program has written there, these are numbers.
select t.id, t.phase, t.attempts > 0, u.until, cast(u.keep_until as real),
  cast(t.created as real), cast(t.eta as real), cast(t.expires as real), u.newest
from liteq_unique u join liteq_task t on t.seq = u.task
where u.key = ? and t.id <> ? order by u.number desc

-- name: drop_ended
-- The rows of those that have had a key, so that there are never many of one key.
delete from liteq_unique where key = ? and (keep_until is null or keep_until <= ?)
  and exists (select 1 from liteq_task where seq = liteq_unique.task and phase >= {SUCCEEDED})

-- name: keep
-- It is the newest one, even if it has had a row before.
insert or replace into liteq_unique (task, key, until, keep_until, behind)
select seq, ?, ?, ?, ? from liteq_task where id = ?

-- name: tie
-- Something may follow from the end of each task that has asked for a key.
update liteq_task set tied = 1, details = 1 where id = ?

-- name: hold_back
update liteq_task set phase = {WAITING} where id = ?

-- name: set_eta
update liteq_task set phase = ?, eta = ? where id = ?

-- name: asking
select {message}, phase from liteq_task where id = ?

-- name: to_be_given
select {message}, takes from liteq_task where id = ?

-- name: give
-- The newest arguments to a task that waits.
update liteq_task set payload = ?, serializer = ?, expires = ?, eta = ?, options = ?,
  phase = case when phase in ({SCHEDULED}, {READY}) then ? else phase end
where id = ?
returning queue, phase

-- name: note_newest
update liteq_unique set newest = ? where task = (select seq from liteq_task where id = ?)

-- name: held_back
-- The tasks that have to wait for the end of one.
select t.seq, t.queue, cast(t.eta as real), u.key is null
from liteq_unique u join liteq_task t on t.seq = u.task
where u.behind = ? and t.phase = {WAITING}

-- name: let_go
update liteq_task set phase = ?, woken_by = coalesce(?, woken_by) where seq = ?

-- name: stop_waiting
update liteq_unique set behind = null where task = ? and key is not null

-- name: is_held_back
select u.key is null from liteq_unique u join liteq_task t on t.seq = u.task
where t.id = ? and u.behind is not null

-- name: followed
-- The end of the task as which one is to end. What an unsuccessful one has reported is no error.
select e.phase, e.result_serializer,
  case when e.phase = {SUCCEEDED} or e.reported is null then e.result end, e.traceback, e.woken_by
from liteq_unique u join liteq_task e on e.id = u.behind where u.task = ? and u.key is null

-- name: awaited_by
-- What a task waits for: a task or a group, and the task that has its key.
select t.waits, t.barrier, u.behind from liteq_task t left join liteq_unique u on u.task = t.seq
where t.id = ? and t.phase = {WAITING}

-- name: unfinished_members
with recursive inner (id) as (
  select ?
  union select g.id from liteq_group g join inner on g.outer_group = inner.id
)
select id from liteq_task
where member_of in (select id from inner) and phase < {SUCCEEDED}

-- Durable steps of tasks, and events.

-- name: keep_step
insert or replace into liteq_step (name, kind, at, until, value, serializer, failed, task)
select ?, ?, ?, ?, ?, ?, ?, seq from liteq_task where seq = ? and token = ? and phase = {RUNNING}

-- name: mark_details
-- So that the steps are deleted with the task.
update liteq_task set details = 1 where seq = ? and not details

-- name: forget_steps
delete from liteq_step where task = (
  select seq from liteq_task where seq = ? and token = ? and phase = {RUNNING}
)

-- name: seq
select seq from liteq_task where id = ?

-- name: insert_step
-- Of a task that comes from another store.
insert into liteq_step (name, kind, at, until, value, serializer, failed, task)
values (?, ?, ?, ?, ?, ?, ?, ?)

-- name: steps
select s.name, s.kind, s.at, s.until, s.value, s.serializer, s.failed
from liteq_task t join liteq_step s on s.task = t.seq where t.id = ? order by s.at, s.name

-- name: event
select key, value, serializer, at, keep_until, id from liteq_event
where key = ? and (keep_until is null or keep_until > ?)

-- name: events
select key, value, serializer, at, keep_until, id from liteq_event
where keep_until is null or keep_until > ?

-- name: insert_event
insert or replace into liteq_event (key, value, serializer, at, keep_until, id)
values (?, ?, ?, ?, ?, ?)

-- name: give_event
-- To the steps of the tasks that wait for it.
update liteq_step set value = :value, serializer = :serializer, at = :now
where name = :key and task in (
  select w.task from liteq_event_wait w join liteq_task t on t.seq = w.task
  where w.key = :key and t.phase in ({WAITING}, {SCHEDULED})
)

-- name: wake_by_event
update liteq_task set phase = {READY}
where seq in (select task from liteq_event_wait where key = ?) and phase in ({WAITING}, {SCHEDULED})
returning queue, seq, tied & 7

-- name: forget_waits
delete from liteq_event_wait where key = ?

-- name: is_awaited
-- Whether a task waits for any event at all.
select 1 from liteq_event_wait limit 1

-- name: await
-- `details` is set already, by the step.
insert or replace into liteq_event_wait (task, key) values (?, ?)

-- name: stop_awaiting
delete from liteq_event_wait where task = ?

-- name: give_event_to
-- To the step of one task.
update liteq_step set value = ?, serializer = ?, at = ? where name = ? and task = ?

-- name: wake_at_once
update liteq_task set phase = {READY} where seq = ? returning queue, seq, tied & 7

-- name: sweep_events
delete from liteq_event where key in (
  select key from liteq_event where keep_until is not null and keep_until <= ?
  order by keep_until limit ?
)

-- Pauses, and what claims pass over.

-- name: rules
-- All that a claim has to heed: pauses, and what claims have left before. Nearly always nothing,
-- which takes 1 us.
select kind, name, null from liteq_pause union all select 'left', task, queue from liteq_left

-- name: pauses
select kind, name, since, schedules from liteq_pause order by kind, name

-- name: is_paused
select 1 from liteq_pause where kind = ? and name = ?

-- name: pause
insert into liteq_pause (kind, name, since, schedules) values (?, ?, ?, {in_schema_3})
on conflict (kind, name) do update set schedules = excluded.schedules

-- name: resume
delete from liteq_pause where kind = ? and name = ?

-- name: skips
-- Whether periodic entries pass over what they would send to a queue.
select 1 from liteq_pause
where schedules = 'skip' and (kind, name) in (values ('queue', ?), ('task', ?), ('store', ''))
limit 1

-- name: first_ready
-- Behind those that a claim would hand out.
select seq, task from liteq_task where phase = {READY} and queue = ?
order by priority desc, seq limit ?

-- name: leave
-- The keys are a JSON list.
update liteq_task set queue = queue || char(10) || task
where seq in (select value from json_each(?))

-- name: leave_claimed
-- One that was claimed in this transaction is as it was before, but for the worker: that is the one
-- of its last attempt.
update liteq_task set phase = {READY}, started = null, queue = queue || char(10) || task,
  worker = (select worker from liteq_attempt where task = seq order by number desc limit 1)
where seq = ?

-- name: note_left
insert or ignore into liteq_left (queue, task, since) values (?, ?, ?)

-- name: take_up
-- A task that was left is in its queue again.
update liteq_task set queue = ? where seq = ?

-- name: forget_left
delete from liteq_left where queue = ? and task = ?

-- name: forget_all_left
-- Those of which nothing is left.
delete from liteq_left where not exists (
  select 1 from liteq_task
  where phase = {READY} and liteq_task.queue = liteq_left.queue || char(10) || liteq_left.task
)

-- name: left
select queue, task, (
  select count(*) from liteq_task t
  where t.phase = {READY} and t.queue = liteq_left.queue || char(10) || liteq_left.task
), since
from liteq_left order by queue, task

-- name: ready_after
-- Ready tasks of a queue, in the order of claims.
select seq, expires from liteq_task where phase = {READY} and queue = ?
order by priority desc, seq limit ? offset ?

-- name: expire
update liteq_task set phase = {EXPIRED}, token = token + 1, finished = ?, keep_until = ?
where seq = ? and phase = {READY}
returning seq, tied

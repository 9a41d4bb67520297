-- Limits of tasks, and the lines in which tasks wait for them; admission.py says how. The states of a
-- use are: 0 the task has passed, 1 and its start is counted, 2 it stands in the line, 3 it waits in
-- the line of another limit. Of `tied`, 2 says that a task has limits, and 4 that one is a rate.

-- name: newest
-- A task that was just stored: one that was there before has the mark.
select seq, phase from liteq_task where id = ? and not tied & 2

-- name: mark
-- `details`, so that what stands here of a task is deleted with it.
update liteq_task set tied = tied & 1 | :mark, details = details or :mark <> 0 where seq = :seq

-- name: asking
select options, priority from liteq_task where seq = ? and phase = {READY}

-- name: block
update liteq_task set phase = {WAITING} where seq = ?

-- name: rule_of_name
select running, rate, burst from liteq_limit where key = ? and fixed

-- name: define
-- As the code of the last task that was sent says, unless the numbers were set at run time.
insert into liteq_limit (key, name, running, rate, burst) values (?, ?, ?, ?, ?)
on conflict (key) do update set name = excluded.name, running = excluded.running,
  rate = excluded.rate, burst = excluded.burst, keep_until = null
where not fixed and (running is not excluded.running or rate is not excluded.rate
  or burst is not excluded.burst or keep_until is not null)

-- name: wait
insert or replace into liteq_limit_use (task, key, priority, state, cost, since)
values (?, ?, ?, ?, ?, ?)

-- name: keys_of
select cast(key as text) from liteq_limit_use where task = ?

-- name: rates_of
-- The keys of the rates that a task has passed.
select cast(u.key as text) from liteq_limit_use u join liteq_limit l on l.key = u.key
where u.task = ? and u.state < 2 and l.rate is not null

-- name: leave
delete from liteq_limit_use where task = ?

-- name: not_begun
-- A task was claimed, and is ready again: its start is counted when it does start.
update liteq_limit_use set state = 0 where task = ? and state = 1

-- What `Lines` asks and does

-- name: row
select running, rate, burst, fixed, free, held from liteq_limit where key = ?

-- name: started
select cast(t.started as real), cast(u.cost as integer), u.task
from liteq_limit_use u join liteq_task t on t.seq = u.task
where u.key = ? and u.state = 0 and t.started is not null order by t.started, u.task

-- name: count_start
update liteq_limit_use set state = 1 where task = ? and key = ?

-- name: taken
select cast(coalesce(sum(cost), 0) as integer) from liteq_limit_use where key = ? and state < 2

-- name: ahead
select cast(coalesce(sum(cost), 0) as integer) from liteq_limit_use where key = ? and state = 0

-- name: line
-- `cast`: whatever another program has written there, these are numbers.
select u.task, cast(u.task as integer), cast(u.priority as integer), cast(u.cost as integer),
  u.denied, t.expires
from liteq_limit_use u left join liteq_task t on t.seq = u.task
where u.key = ? and u.state = 2 order by u.priority desc, u.task limit ?

-- name: others
select cast(key as text), cast(cost as integer), state = 2 from liteq_limit_use
where task = ? and key <> ? order by key

-- name: make_ready
update liteq_task set phase = {READY} where seq = ? and phase = {WAITING} returning queue

-- name: pass
update liteq_limit_use set state = 0 where task = ?

-- name: move
update liteq_limit_use set state = case key when :key then 2 else 3 end,
  denied = coalesce(denied, :now)
where task = :task

-- name: stand_in_all
update liteq_limit_use set state = 2 where task = ?

-- name: look
select look from liteq_limit where key = ?

-- name: set_free
update liteq_limit set free = ? where key = ?

-- name: set_look
update liteq_limit set look = ? where key = ?

-- name: keep_unused
update liteq_limit set keep_until = max(coalesce(free, 0), coalesce(held, 0))
where key = ? and not fixed and look is null
  and not exists (select 1 from liteq_limit_use u where u.key = liteq_limit.key)

-- name: drop_unused
delete from liteq_limit where key = ? and keep_until <= ?

-- Now and then

-- name: due
select cast(key as text) from liteq_limit where look <= ? order by look, key limit 100

-- name: sweep
delete from liteq_limit where key in (
  select key from liteq_limit where keep_until is not null and keep_until <= ?
  order by keep_until, key limit ?
)

-- What users set

-- name: set
insert into liteq_limit (key, name, running, rate, burst, fixed)
values (:key, :key, :running, :rate, :burst, :fixed)
on conflict (key) do update set running = :running, rate = :rate, burst = :burst, fixed = :fixed,
  keep_until = null

-- name: set_of_name
update liteq_limit set running = :running, rate = :rate, burst = :burst
where name = :key and key <> :key and not fixed returning cast(key as text)

-- name: hold
insert into liteq_limit (key, name, held) values (:key, :key, :held)
on conflict (key) do update set held = :held, keep_until = null

-- name: recall
-- Tasks that have passed a limit, and wait for a worker.
select u.task from liteq_limit_use u join liteq_task t on t.seq = u.task
where u.key = ? and u.state < 2 and t.phase = {READY}

-- name: stand
update liteq_limit_use set state = case key when ? then 2 else 3 end where task = ?

-- name: limits
select cast(key as text), cast(name as text), running, rate, burst, fixed, held, free,
  (select cast(coalesce(sum(cost), 0) as integer) from liteq_limit_use u
    where u.key = l.key and state < 2),
  (select count(*) from liteq_limit_use u where u.key = l.key and state = 2),
  (select since from liteq_limit_use u where u.key = l.key and state = 2
    order by priority desc, task limit 1)
from liteq_limit l order by key

-- Tasks that are deleted by many, and what is doubtful

-- name: keys_of_purged
select distinct cast(u.key as text) from liteq_limit_use u join liteq_task t on t.seq = u.task
where t.phase in ({WAITING}, {SCHEDULED}, {READY})
  and (:queues is null or t.queue in (select value from json_each(:queues)))

-- name: keys_of_arrival
select cast(u.key as text) from liteq_limit_use u join liteq_task t on t.seq = u.task
where t.id = ? and t.created = ? and t.phase <> {RUNNING}

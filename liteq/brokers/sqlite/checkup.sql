-- What `liteq doctor` asks and repairs. All times are bound, and none is SQLite's own.

-- fragment: no_worker
-- A worker that stops gives back what it holds in the same transaction, so this is never true
-- unless the tables were changed by hand.
(worker is null or worker not in (select id from liteq_worker where stopped is null))

-- fragment: unasked
-- One that had expired when it was its turn was let out, and a worker is to end it.
t.tied & 2 and (
  t.phase = {READY} and not exists (select 1 from liteq_limit_use u where u.task = t.seq)
    and (t.expires is null or t.expires > ?)
  or t.phase = {WAITING}
    and not exists (select 1 from liteq_limit_use u where u.task = t.seq and u.state = 2)
    and (exists (select 1 from liteq_limit_use u where u.task = t.seq)
      or t.waits is null
        and not exists (select 1 from liteq_event_wait e where e.task = t.seq)))

-- fragment: in_left_line
u.state = 2 and not exists (
  select 1 from liteq_limit_use p where p.key = u.key and (p.state < 2 or p.denied is not null)
) and not exists (select 1 from liteq_limit l where l.key = u.key and l.look is not null)

-- fragment: leaked
(t.seq is null or t.phase not in ({WAITING}, {READY}, {RUNNING})
  or u.state < 2 and t.phase = {WAITING})

-- name: schema
select value from liteq_meta where name = 'schema'

-- name: tables
select name from sqlite_master where type = 'table' and name not like 'sqlite\_%' escape '\'
order by name

-- name: phases
select phase, count(*) from liteq_task group by phase

-- name: ahead
-- Sent by a clock that is ahead of ours, or that was set back since.
select count(*) from liteq_task where created > ?

-- name: held
select count(*) from liteq_task where phase = {RUNNING} and worker = ?

-- name: strays
select count(*) from liteq_task where phase = {RUNNING} and {no_worker}

-- name: release_strays
update liteq_task set phase = {READY}, token = token + 1, started = null
where phase = {RUNNING} and {no_worker}

-- name: timeless
-- `promote` never finds them.
select count(*) from liteq_task where phase = {SCHEDULED} and eta is null

-- name: start_timeless
update liteq_task set phase = {READY} where phase = {SCHEDULED} and eta is null

-- name: stuck
-- What they wait for has ended, or does not exist: another task, or a group. Tasks that wait for an
-- event, or for limits, are waiting as well.
select count(*) from liteq_task t where phase = {WAITING}
and not exists (select 1 from liteq_event_wait where task = t.seq)
and not (tied & 2 and (waits is null
  or exists (select 1 from liteq_limit_use u where u.task = t.seq)))
and case
  when barrier then not exists (select 1 from liteq_group where id = t.waits and closed is null)
  else not exists (select 1 from liteq_task where id = t.waits and phase < {SUCCEEDED})
end

-- name: ask_again
update liteq_task as t set phase = {READY} where {unasked} returning seq

-- name: forget_leaked
delete from liteq_limit_use as u where exists (
  select 1 from (select 1) left join liteq_task t on t.seq = u.task where {leaked}
)
returning cast(key as text)

-- name: lines
select distinct cast(key as text) from liteq_limit_use where state = 2

-- name: unasked
-- Tasks with limits that are ready without having passed them, or wait in no line.
select count(*) from liteq_task t where {unasked}

-- name: left_lines
-- Tasks in lines at which nobody would look: none of the limit has passed, and no time is set.
select count(*) from liteq_limit_use u where {in_left_line}

-- name: leaked_uses
-- Uses of tasks that are gone, or have ended: they take room for ever.
select count(*) from liteq_limit_use u left join liteq_task t on t.seq = u.task where {leaked}

-- What `liteq doctor` asks and repairs. All times are bound, and none is SQLite's own.

-- fragment: no_worker
-- A worker that stops gives back what it holds in the same transaction, so this is never true
-- unless the tables were changed by hand.
(worker is null or worker not in (select id from liteq_worker where stopped is null))

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
-- event, or for a limit, are waiting as well.
select count(*) from liteq_task t where phase = {WAITING}
and not exists (select 1 from liteq_event_wait where task = t.seq)
and not exists (select 1 from liteq_limit_use where task = t.seq)
and case
  when exists (select 1 from liteq_unique u where u.task = t.seq and u.behind is not null)
    then not exists (
      select 1 from liteq_unique u join liteq_task h on h.id = u.behind
      where u.task = t.seq and h.phase < {SUCCEEDED}
    )
  when barrier then not exists (select 1 from liteq_group where id = t.waits and closed is null)
  else not exists (select 1 from liteq_task where id = t.waits and phase < {SUCCEEDED})
end

-- What `liteq doctor` asks and repairs. Times are bound, never the file's own.

-- name: phases
select phase, count(*) from task group by phase

-- name: ahead
-- Made by a clock that is ahead of ours, or that was set back since.
select count(*) from task where created > ?

-- name: held
select count(*) from task where phase = {RUNNING} and worker = ?

-- name: strays
-- Whoever leaves gives back what it holds, in the same transaction.
select count(*) from task
where phase = {RUNNING} and (worker is null or worker not in (select id from worker where stopped is null))

-- name: release_strays
update task set phase = {READY}, token = token + 1, started = null
where phase = {RUNNING} and (worker is null or worker not in (select id from worker where stopped is null))

-- name: timeless
-- Nobody ever promotes them.
select count(*) from task where phase = {SCHEDULED} and eta is null

-- name: start_timeless
update task set phase = {READY} where phase = {SCHEDULED} and eta is null

-- name: stuck
-- What they wait for has ended, or is not there.
select count(*) from task t where phase = {WAITING} and case
  when barrier then not exists (select 1 from task_group where id = t.waits and closed is null)
  else not exists (select 1 from task where id = t.waits and phase < {SUCCEEDED})
end

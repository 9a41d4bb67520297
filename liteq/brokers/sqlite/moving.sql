-- The statements that move tasks between stores.

-- name: single_tasks
-- Tasks that belong to no workflow.
{record} where t.seq > ? and t.phase <> {RUNNING} and not t.tied & 1 and t.waits is null
order by t.seq limit ?

-- name: seq
select seq from liteq_task where id = ?

-- name: workflow_tasks
{record} where t.tied & 1 or t.waits is not null order by t.seq

-- name: place
select takes, tied & 1, delay from liteq_task where id = ?

-- name: running_workflow
select 1 from liteq_task where phase = {RUNNING} and (tied & 1 or waits is not null) limit 1

-- name: groups
select id, outer_group, position, forgiving, options, closed, blame, released from liteq_group

-- name: insert_task
insert or ignore into liteq_task (
  id, task, payload, serializer, queue, priority, eta, expires, retries,
  acks_late, ignore_result, track_started, options,
  phase, lost, worker, created, started, finished, keep_until, result, result_serializer,
  traceback, reported, woken_by, waits, barrier, member_of, position, takes, on_failure, tied,
  delay, attempts
) values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)

-- name: insert_attempt
insert or ignore into liteq_attempt (task, number, started, ended, worker, outcome, error)
select seq, ?, ?, ?, ?, ?, ? from liteq_task where id = ?

-- name: insert_group
insert or ignore into liteq_group (
  id, outer_group, position, forgiving, options, closed, blame, released
) values (?, ?, ?, ?, ?, ?, ?, ?)

-- name: worker_of_name
select id from liteq_worker where name = ? and stopped is not null order by id desc limit 1

-- name: insert_stopped_worker
insert into liteq_worker (name, owner, pid, host, started, beat, stopped)
values (?, '', 0, '', ?, ?, ?)

-- name: discard
delete from liteq_task where id = ? and created = ? and phase <> {RUNNING}

-- name: discard_group
delete from liteq_group where id = ? and not exists (select 1 from liteq_task where member_of = ?1)

-- What has come from another store, which may still have it.

-- name: insert_arrival
insert or replace into liteq_arrival (id, created, arrived) values (?, ?, ?)

-- name: delete_old_arrivals
delete from liteq_arrival where arrived < ?

-- name: arrivals
select id, created from liteq_arrival

-- name: confirm
delete from liteq_arrival where id = ? and created is ?

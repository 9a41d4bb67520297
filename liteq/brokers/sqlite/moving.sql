-- The statements that move tasks between stores.

-- name: single_tasks
-- Tasks that belong to no workflow.
{record} where t.phase <> {RUNNING} and not t.tied and t.waits is null order by t.seq limit ?

-- name: workflow_tasks
{record} where t.tied or t.waits is not null order by t.seq

-- name: place
select takes, on_failure, tied, delay from task where id = ?

-- name: running_workflow
select 1 from task where phase = {RUNNING} and (tied or waits is not null) limit 1

-- name: groups
select id, outer_group, position, forgiving, closed, blame, released from task_group

-- name: insert_task
insert or ignore into task (
  id, task, payload, serializer, queue, priority, eta, expires, retries,
  acks_late, ignore_result, track_started, options,
  phase, lost, worker, created, started, finished, keep_until, result, result_serializer,
  traceback, reported, woken_by, waits, barrier, member_of, position, takes, on_failure, tied,
  delay, attempts
) values (
  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
)

-- name: insert_attempt
insert or ignore into attempt (task, number, started, ended, worker, outcome, error)
select seq, ?, ?, ?, ?, ?, ? from task where id = ?

-- name: insert_group
insert or ignore into task_group (id, outer_group, position, forgiving, closed, blame, released)
values (?, ?, ?, ?, ?, ?, ?)

-- name: worker_of_name
select id from worker where name = ? and stopped is not null order by id desc limit 1

-- name: insert_stopped_worker
insert into worker (name, owner, pid, host, started, beat, stopped) values (?, '', 0, '', ?, ?, ?)

-- name: discard
delete from task where id = ? and phase <> {RUNNING}

-- name: discard_group
delete from task_group where id = ?

-- Tasks that run: how far they have come, and which are to end.

-- name: keep_progress
insert or replace into liteq_progress (value, task, token, attempt)
select ?, seq, token, attempts + 1 from liteq_task where {claimed}

-- name: mark_details
-- So that it is deleted with the task.
update liteq_task set details = 1 where {claimed} and not details

-- name: progress
-- `:ids` is a JSON list.
select t.id, p.value from json_each(:ids) i
join liteq_task t on t.id = i.value join liteq_progress p on p.task = t.seq
where t.started is not null and p.token = t.token
  or t.started is null and t.phase < {RUNNING} and p.attempt = t.attempts and exists (
    select 1 from liteq_attempt a where a.task = t.seq and a.number = t.attempts
      and a.outcome in (select value from json_each(:suspended))
  )

-- name: claims_that_go_on
-- `:receipts` is a JSON list of keys and tokens.
select t.seq, t.token from json_each(:receipts) r
join liteq_task t on t.seq = json_extract(r.value, '$[0]')
where t.token = json_extract(r.value, '$[1]') and t.phase = {RUNNING} and t.revoked is null

-- name: is_kept_late
select 1 from liteq_attempt a join liteq_task t on t.seq = a.task
where t.seq = :key and t.id = :id and a.worker = :worker and a.ended = :at and a.outcome = :late

-- name: end_late
update liteq_attempt set ended = :at, outcome = :late, error = :what
where task = (select seq from liteq_task where seq = :key and id = :id and token >= :token)
  and number = (
    select max(number) from liteq_attempt
    where task = :key and worker = :worker and outcome = 'lost'
  )

-- name: add_late
insert into liteq_attempt (task, number, started, ended, worker, outcome, error)
select seq, attempts + 1, null, :at, :worker, :late, :what from liteq_task
where seq = :key and id = :id and token >= :token

-- name: count_late
update liteq_task set attempts = attempts + 1 where seq = :key

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

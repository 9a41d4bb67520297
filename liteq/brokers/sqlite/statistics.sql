-- Statistics about how tasks ended.

-- name: waited
-- Of the tasks in a JSON list.
select seq, started - max(created, coalesce(eta, 0)) from liteq_task
where seq in (select value from json_each(?)) and started is not null

-- name: stat
select number, ran, runs, waited, waits from liteq_stat
where seconds = ? and start = ? and queue = ? and task = ? and outcome = ?

-- name: keep_stat
insert or replace into liteq_stat
  (seconds, start, queue, task, outcome, number, ran, runs, waited, waits)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: drop_old_stats
delete from liteq_stat where seconds = ? and start < ?

-- name: stats
select seconds, start, queue, task, outcome, number, ran, runs, waited, waits from liteq_stat
where seconds = ? and start >= ? and start < ? order by start, queue, task, outcome

-- What tasks print and log.

-- name: mark_details
-- So that the output is deleted with the task. Only with the present claim, or the last one, which
-- has succeeded.
update liteq_task set details = 1
where seq = ? and token = {in_schema_3} and phase in ({RUNNING}, {SUCCEEDED}) and not details

-- name: holds
-- Whether that is so, and `details` is set already.
select 1 from liteq_task
where seq = ? and token = ? and phase in ({RUNNING}, {SUCCEEDED}) and details

-- name: begin
-- Delete what an interrupted start has left under the number of an attempt, and old attempts.
delete from liteq_output where task = ? and (attempt >= ? or attempt <= ?)

-- name: trim
delete from liteq_output where task = ? and attempt = ? and last < ?

-- name: add
insert or replace into liteq_output (task, attempt, last, keep_from, lines) values (?, ?, ?, ?, ?)

-- name: seq
select seq from liteq_task where id = ?

-- name: output
-- The fields of an `Output`, but for the last one.
select o.attempt, o.last, o.keep_from, o.lines
from liteq_task t join liteq_output o on o.task = t.seq
where t.id = ? and (o.attempt, o.last) > (?, ?) order by o.attempt, o.last

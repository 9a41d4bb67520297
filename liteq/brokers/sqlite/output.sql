-- What tasks print and log.

-- name: holder
-- Whether a receipt is that of the present claim, or of the last one, which has succeeded.
select details from liteq_task
where seq = ? and token = {in_schema_3} and phase in ({RUNNING}, {SUCCEEDED})

-- name: mark_details
-- So that the lines are deleted with the task.
update liteq_task set details = 1 where seq = ?

-- name: begin
-- Delete what an interrupted start has left under the same number, and what is of the attempt that
-- is bound second, or of one before that.
delete from liteq_output where task = ? and (attempt >= ? or attempt <= ?)

-- name: add
insert or replace into liteq_output (task, attempt, number, at, level, line)
values (?, ?, ?, ?, ?, ?)

-- name: trim
delete from liteq_output where task = ? and attempt = ? and number < ?

-- name: seq
select seq from liteq_task where id = ?

-- name: output
select o.attempt, o.number, o.at, o.level, o.line
from liteq_task t join liteq_output o on o.task = t.seq
where t.id = ? and (o.attempt, o.number) > (?, ?) order by o.attempt, o.number

-- uses head, tasks
--
-- Make scheduled tasks ready that are due.
--
-- KEYS     the prefix
-- ARGV     now, limit
-- Returns  when the next scheduled task is due; nil if there is none

local scheduled = P .. "scheduled"
local due = call("ZRANGEBYSCORE", scheduled, "-inf", timestamp, "LIMIT", 0, next_arg())
for _, member in ipairs(due) do
  call("ZREM", scheduled, member) -- whatever is stored of the task
  local read, task = try(load_task, id_of(member))
  if read and task and task.phase == SCHEDULED then
    leave_phase(task)
    enter_phase(task, READY)
  end
end
return end_script(call("ZRANGE", scheduled, 0, 0, "WITHSCORES")[2])

-- uses head, tasks, limiting, walk
--
-- Delete tasks that wait for limits. Those that others depend on end as cancelled instead.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  how many there were

local deleted = 0
while more_args() do
  local task = load_task(next_arg())
  if task and task.phase == WAITING and call("HEXISTS", task.key, "stands") == 1 then
    drop_waiting(task)
    deleted = deleted + 1
  end
end
propagate_ends()
return end_script(deleted)

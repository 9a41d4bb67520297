-- uses head, tasks, unique, walk
--
-- Give back claims that were not started.
--
-- KEYS     the prefix
-- ARGV     now; id and token of each claim
-- Returns  1

while more_args() do
  local id, token = next_args(2)
  local task = load_task(id)
  if task and task.phase == RUNNING and task.token == token then unclaim(task) end
end
propagate_ends() -- a revoked task has ended by this
return end_script(1)

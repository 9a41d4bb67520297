-- uses head, tasks, walk
--
-- Delete tasks and groups that were moved to another store, but for tasks that run by now.
--
-- KEYS     the prefix
-- ARGV     now, the number of tasks, their ids, ids of groups...
-- Returns  1

for _ = 1, tonumber(next_arg()) do
  local task = load_task(next_arg())
  if task and task.phase ~= RUNNING then delete_task(task) end
end
while more_args() do
  local id = next_arg()
  call("DEL", P .. "group:" .. id, P .. "members:" .. id, P .. "inner:" .. id, P .. "open:" .. id,
    P .. "failed:" .. id, P .. "barrier:" .. id)
end
return end_script(1)

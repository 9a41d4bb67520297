-- uses head, tasks, unique, walk
--
-- Revoke unfinished tasks. Those that do not run end as cancelled.
--
-- KEYS     the prefix
-- ARGV     now; for how many seconds the cancelled tasks are kept (empty: for ever); whether
--          running ones are to be terminated; ids...
-- Returns  the ids of the tasks that had not ended

local keep, terminate = next_arg(), next_arg() == "1"
local found = {}
while more_args() do
  local id = next_arg()
  local task = load_task(id)
  if task and task.phase < SUCCEEDED then
    call("HSET", task.key, "revoked", keep, "terminate", terminate and 1 or 0)
    task.revoked = keep
    if task.phase < RUNNING then
      leave_phase(task)
      enter_phase(task, task.phase) -- which cancels it
    elseif terminate then
      call("SADD", P .. "condemned:" .. task.worker, id)
      to_notify.work = true
    else
      call("SREM", P .. "condemned:" .. task.worker, id)
    end
    found[#found + 1] = id
  end
end
propagate_ends()
return end_script(found)

-- uses head, tasks, unique, walk
--
-- Delete tasks that are ready or scheduled, one batch at a time. Those that others depend on end
-- as cancelled instead.
--
-- KEYS     the prefix
-- ARGV     now; how many tasks to look at; how many ready and how many scheduled ones to delete;
--          how many scheduled ones to pass over, because an earlier batch looked at them; queues...
-- Returns  how many ready and how many scheduled ones were deleted; how many scheduled ones have
--          been passed over by now

local limit, ready, scheduled, offset = next_args(4)
limit, ready, scheduled = tonumber(limit), tonumber(ready), tonumber(scheduled)
offset = tonumber(offset)
local queues, passed = {}, offset
while more_args() do queues[next_arg()] = true end
local deleted = { [READY] = 0, [SCHEDULED] = 0 }

local function delete_member(member)
  local task = load_task(id_of(member))
  if not task then return end
  deleted[task.phase] = deleted[task.phase] + 1
  if task.tied then
    leave_phase(task)
    call("HSET", task.key, "finished", timestamp)
    finish(task, CANCELLED, timestamp)
  else
    delete_task(task)
  end
end

for queue in pairs(queues) do
  local most = math.min(limit, ready) - deleted[READY]
  if most > 0 then
    for _, member in ipairs(call("ZRANGE", P .. "ready:" .. queue, 0, most - 1)) do
      delete_member(member)
    end
  end
  if call("ZCARD", P .. "ready:" .. queue) == 0 then call("HDEL", P .. "left", queue) end
end
if scheduled > 0 then
  for _, member in ipairs(call("ZRANGE", P .. "scheduled", offset, offset + limit - 1)) do
    local wanted = queues[call("HGET", P .. "task:" .. id_of(member), "queue")]
    if wanted and deleted[SCHEDULED] < scheduled then
      delete_member(member)
    else
      passed = passed + 1
    end
  end
end
propagate_ends()
return end_script({ deleted[READY], deleted[SCHEDULED], passed })

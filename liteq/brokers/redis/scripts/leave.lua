-- uses head, tasks, unique, walk, leases, claiming, passing
--
-- Give claimed tasks back that their worker does not know, and put those like them that are next in
-- their queues out of its way.
--
-- KEYS     the prefix
-- ARGV     now, worker; id and token of each claim
-- Returns  the names of all that was put out of its way

local allow = permission(next_arg(), { task = {} })

-- The worker of a task that has not started is that of its last attempt, if it had one.
local function forget_claim(task)
  local worker = task.attempts > 0 and call("LINDEX", P .. "attempts:" .. task.id, -3)
  call("HDEL", task.key, "started", "worker")
  if worker then call("HSET", task.key, "worker", worker) end
end

local queues, names = {}, {}
while more_args() do
  local id, token = next_args(2)
  local task = load_task(id)
  if task and task.phase == RUNNING and task.token == token then
    local name = name_of(id)
    leave_phase(task)
    forget_claim(task)
    if name then
      names[name] = true
      queues[task.queue] = true
      task.queue = task.queue .. BREAK .. name
      call("HSET", task.key, "queue", task.queue)
      call("HSETNX", P .. "left", task.queue, timestamp)
    end
    enter_phase(task, READY)
  end
end
for queue in pairs(queues) do clear_head(queue, allow, names) end
propagate_ends() -- a revoked task has ended by this
local found = {}
for name in pairs(names) do found[#found + 1] = name end
return end_script(found)

-- uses head, tasks, unique, walk
--
-- Note that a worker has stopped, and give back the claims that it still holds.
--
-- KEYS     the prefix
-- ARGV     now, worker
-- Returns  1

local worker = next_arg()
local key = P .. "worker:" .. worker
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local task = load_task(id_of(member))
  if task and task.phase == RUNNING and task.worker == worker then unclaim(task) end
end
propagate_ends() -- a revoked task has ended by this
call("DEL", P .. "running:" .. worker, P .. "condemned:" .. worker, P .. "lost:" .. worker,
  P .. "knows:" .. worker)
if call("EXISTS", key) == 1 then
  call("HDEL", key, "handed")
  call("HSET", key, "stopped", timestamp)
  call("ZADD", P .. "workers", timestamp, worker)
end
call("ZREM", P .. "leases", worker)
return end_script(1)

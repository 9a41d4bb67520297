-- uses head, tasks, limiting
--
-- Return the claims that a worker is to end: of tasks that were revoked with `terminate`, and those
-- that were taken from it when its lease had ended.
--
-- KEYS     the prefix
-- ARGV     now, worker
-- Returns  those that were revoked, and those that were lost: id and token of each

local worker, found = next_arg(), {}
local read_set, condemned = try(call, "SMEMBERS", P .. "condemned:" .. worker)
for _, id in ipairs(read_set and condemned or {}) do
  local task = load_task(id)
  if task and task.phase == RUNNING and task.worker == worker then
    found[#found + 1] = id
    found[#found + 1] = task.token
  else
    call("SREM", P .. "condemned:" .. worker, id)
  end
end
return { found, call("LRANGE", P .. "lost:" .. worker, 0, -1) }

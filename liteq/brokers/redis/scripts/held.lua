-- uses head, leases, claiming
--
-- Return the claims that a worker holds.
--
-- KEYS     the prefix
-- ARGV     now, worker
-- Returns  the deliveries

local worker, found = next_arg(), {}
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local id = id_of(member)
  local read, task = try(call, "HMGET", P .. "task:" .. id, "phase", "token", "worker")
  if read and tonumber(task[1] or "") == RUNNING and task[3] == worker then
    found[#found + 1] = (readable_delivery(id, task[2] or ""))
  end
end
return found

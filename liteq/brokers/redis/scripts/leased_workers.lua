-- uses head, leases
--
-- Return the workers that have a lease.
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  of each: number, name, pid, host, started, beat, info, whether
--          the lease has ended, owner (`WorkerRegistry.live_workers` in registry.py)

local found = {}
local leases = call("ZRANGE", P .. "leases", 0, -1, "WITHSCORES")
for n = 1, #leases, 2 do
  local worker = leases[n]
  local read, fields = try(call, "HMGET", P .. "worker:" .. worker, "name", "pid", "host",
    "started", "beat", "info", "owner")
  local name, pid, host, started, beat, info, owner = unpack(read and fields or {})
  if name then
    local is_over = has_ended(leases[n + 1], owner) and 1 or 0
    found[#found + 1] = { worker, name, pid, host, started, beat, info, is_over, owner }
  end
end
return found

-- uses head, leases
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  the workers whose lease has not ended: number, name, pid, host, started, beat, info,
--          owner (`WorkerRegistry.live_workers` in registry.py)

local found = {}
local alive_after = string.format("(%.6f", server_time)
for _, worker in ipairs(call("ZRANGEBYSCORE", P .. "leases", alive_after, "+inf")) do
  local name, pid, host, started, beat, info, owner = unpack(call("HMGET", P .. "worker:" .. worker,
    "name", "pid", "host", "started", "beat", "info", "owner"))
  if name then found[#found + 1] = { worker, name, pid, host, started, beat, info, owner } end
end
return found

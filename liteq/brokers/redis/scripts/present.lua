-- uses head, leases
-- now. Answers the workers that are there: number, name, pid, host, started, beat,
-- info, owner.

local found = {}
for _, worker in ipairs(call("ZRANGEBYSCORE", P .. "leases", string.format("(%.6f", server), "+inf")) do
  local v = call("HMGET", P .. "worker:" .. worker, "name", "pid", "host", "started", "beat", "info",
    "owner")
  if v[1] then found[#found + 1] = { worker, unpack(v) } end
end
return found

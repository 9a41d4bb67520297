-- uses head, workers
-- now, worker, name, info, owner, boot, pid, host. Answers whether the store knew the worker.

local worker, name, info = take(), take(), take()
local key = P .. "worker:" .. worker
heard()
if call("HEXISTS", key, "name") == 0 then
  -- The store was emptied. Nobody else may be given this number.
  local last = tonumber(call("GET", P .. "worker_seq") or "0")
  if last < tonumber(worker) then call("SET", P .. "worker_seq", worker) end
  introduce(worker, name, info)
  return done(0)
end
call("HSET", key, "beat", clock, "info", info)
if call("HDEL", key, "struck") == 1 then
  -- It was only late. What it held is gone, see `lost:<n>`; it works on.
  call("HDEL", key, "stopped")
  call("ZADD", P .. "workers", "+inf", worker)
  call("ZADD", P .. "leases", server + LEASE, worker)
else
  call("ZADD", P .. "leases", "XX", server + LEASE, worker)
end
return done(1)

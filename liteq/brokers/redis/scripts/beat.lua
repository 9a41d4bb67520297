-- uses head, leases, workers
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
if call("HEXISTS", key, "struck") == 1 then
  come_back(worker) -- what it held is gone, see `lost:<n>`
else
  call("ZADD", P .. "leases", "XX", server + LEASE, worker)
end
return done(1)

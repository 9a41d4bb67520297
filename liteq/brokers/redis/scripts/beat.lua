-- uses head, leases, workers
--
-- Note that a worker is alive, and renew its lease.
--
-- KEYS     the prefix
-- ARGV     now, worker, name, info, owner, boot, pid, host; what it knows, see workers.lua
-- Returns  1; 0 if the store did not know the worker, and has stored it anew

local worker, name, info = next_args(3)
local key = P .. "worker:" .. worker
note_heartbeat()
if call("HEXISTS", key, "name") == 0 then
  -- The store was emptied. No other worker may be given this number.
  local last = tonumber(call("GET", P .. "worker_seq") or "0")
  if last < tonumber(worker) then call("SET", P .. "worker_seq", worker) end
  store_worker(worker, name, info)
  store_knowledge(worker)
  return end_script(0)
end
call("HSET", key, "beat", timestamp, "info", info)
skip_args(4)
store_knowledge(worker)
if call("HEXISTS", key, "struck") == 1 then
  restore_worker(worker) -- its claims were taken from it, see `lost:<n>`
else
  call("ZADD", P .. "leases", "XX", server_time + LEASE, worker)
end
return end_script(1)

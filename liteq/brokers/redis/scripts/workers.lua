-- Workers: how they are stored, and their heartbeats.

-- Store a worker. Reads its owner, boot, pid and host from the arguments.
local function store_worker(worker, name, info)
  local owner, boot, pid, host = next_args(4)
  call("HSET", P .. "worker:" .. worker, "name", name, "info", info, "owner", owner, "boot", boot,
    "pid", pid, "host", host, "started", timestamp, "beat", timestamp)
  call("ZADD", P .. "workers", "+inf", worker)
  renew_lease(worker)
  return worker
end

-- Store when the last heartbeat came. If none came for a while, or the server's clock was set back,
-- all leases are renewed, so that the first worker to come back does not take the others for dead.
local function note_heartbeat()
  if is_silent() then
    for _, worker in ipairs(call("ZRANGEBYSCORE", P .. "leases", 1, "+inf")) do
      renew_lease(worker)
    end
  end
  call("SET", P .. "beat", string.format("%.6f", server_time))
end

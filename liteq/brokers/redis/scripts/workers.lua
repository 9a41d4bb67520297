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

-- Store when the last heartbeat came. After an outage of the server, or when all machines slept,
-- no worker could send one: then all leases are renewed, so that the first worker to come back
-- does not take the others for dead.
local function note_heartbeat()
  local last = call("GET", P .. "beat")
  if last and server_time - tonumber(last) > LEASE / 2 then
    for _, worker in ipairs(call("ZRANGEBYSCORE", P .. "leases", 1, server_time + LEASE)) do
      renew_lease(worker)
    end
  end
  call("SET", P .. "beat", string.format("%.6f", server_time))
end

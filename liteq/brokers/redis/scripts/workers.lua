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

-- Read from the arguments which tasks a worker is to be handed, and store that: `all`; or `known`,
-- and the names; or `same`, as before.
local function store_knowledge(worker)
  local which, key = next_arg(), P .. "knows:" .. worker
  if which == "same" then return end
  call("DEL", key)
  if which == "all" then return end
  local names = { "" } -- so that there is a key, even of a worker that knows none
  while more_args() do names[#names + 1] = next_arg() end
  call_in_chunks("SADD", key, names)
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

-- Workers come, and are heard.

local function introduce(worker, name, info)
  call("HSET", P .. "worker:" .. worker, "name", name, "info", info, "owner", take(),
    "boot", take(), "pid", take(), "host", take(), "started", clock, "beat", clock)
  call("ZADD", P .. "workers", "+inf", worker)
  give_lease(worker)
  return worker
end

-- While nobody could be heard, because the server was away or all machines slept, no lease has
-- run: everybody gets the time to be heard first.
local function heard()
  local last = call("GET", P .. "beat")
  if last and server - tonumber(last) > LEASE / 2 then
    for _, worker in ipairs(call("ZRANGEBYSCORE", P .. "leases", 1, server + LEASE)) do
      give_lease(worker)
    end
  end
  call("SET", P .. "beat", string.format("%.6f", server))
end

-- Leases: which workers are alive, by the server's own time.

local LEASE = 30 -- seconds; a worker renews it every 5

local seconds, microseconds = unpack(call("TIME"))
local server_time = tonumber(seconds) + tonumber(microseconds) / 1e6

local function renew_lease(worker)
  call("ZADD", P .. "leases", server_time + LEASE, worker)
end

-- Return whether a lease is over, by the time at which it ends.
local function has_ended(lease)
  return tonumber(lease) <= server_time
end

-- Enter a worker again whose lease had ended, although it was only late.
local function restore_worker(worker)
  call("HDEL", P .. "worker:" .. worker, "struck", "stopped")
  call("ZADD", P .. "workers", "+inf", worker)
  renew_lease(worker)
end

-- Reserve `n` consecutive numbers that were never given before; return the one before the first.
-- A new store begins with the time in microseconds, above all that an earlier store of this name,
-- since flushed, can have given.
local function reserve_tokens(n)
  local last = call("INCRBY", P .. "token", n)
  if last == n then
    last = math.floor(server_time * 1e6)
    call("SET", P .. "token", string.format("%.0f", last))
  end
  return last - n
end

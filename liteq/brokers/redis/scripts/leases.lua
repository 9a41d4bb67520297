-- Leases: who is there, by the server's own time.

local LEASE = 30 -- seconds; a worker renews it every 5

local time = call("TIME")
local server = tonumber(time[1]) + tonumber(time[2]) / 1e6

local function give_lease(worker)
  call("ZADD", P .. "leases", server + LEASE, worker)
end

-- It was struck off because its lease had ended, and is there again: it was only late.
local function come_back(worker)
  call("HDEL", P .. "worker:" .. worker, "struck", "stopped")
  call("ZADD", P .. "workers", "+inf", worker)
  give_lease(worker)
end

-- `n` numbers in a row that were never given before; answers the one before them. A new store
-- begins where no earlier one of this name, since flushed, can have been.
local function tokens(n)
  local last = call("INCRBY", P .. "token", n)
  if last == n then
    last = math.floor(server * 1e6)
    call("SET", P .. "token", string.format("%.0f", last))
  end
  return last - n
end

-- Leases: which workers are alive, by the server's own time.

local LEASE = 8 -- seconds; a worker renews it every 2
local EXTENSION = 22 -- seconds that are added for a process whose connection is open

local server_time -- epoch seconds

local function begin_leases()
  local seconds, microseconds = unpack(call("TIME"))
  server_time = tonumber(seconds) + tonumber(microseconds) / 1e6
end

local function renew_lease(worker)
  call("ZADD", P .. "leases", server_time + LEASE, worker)
end

-- Return whether the server has heard from no worker lately: it was away, or all machines slept.
-- Then no worker could renew its lease, and that one has ended proves nothing.
local function is_silent()
  local last = tonumber(call("GET", P .. "beat") or "")
  return not last or math.abs(server_time - last) > LEASE / 2
end

-- Return whether a process is connected, by its subscription (`Subscription` in listeners.py).
local function is_connected(owner)
  local reply = redis.pcall("PUBSUB", "NUMSUB", P .. "process:" .. (owner or ""))
  return not reply.err and reply[2] > 0
end

-- Return whether a worker's lease has ended, by when it ends and the process. A process that is
-- stopped, busy, or cut off from the server sends no heartbeats, but its connection stays open; the
-- system closes it when the process exits, however that comes.
local function has_ended(lease, owner)
  local late = server_time - tonumber(lease)
  return late >= EXTENSION or (late >= 0 and not is_connected(owner))
end

-- Enter a worker again whose lease had ended, although it was only late.
local function restore_worker(worker)
  call("HDEL", P .. "worker:" .. worker, "struck", "stopped")
  call("ZADD", P .. "workers", "+inf", worker)
  renew_lease(worker)
end

-- Return the token of a worker's claim of a task; nil if it does not hold it.
local function token_of_claim(id, worker)
  local read, task = try(call, "HMGET", P .. "task:" .. id, "phase", "token", "worker")
  if read and task[1] == tostring(RUNNING) and task[3] == worker then return task[2] or "" end
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

-- uses head, tasks, sending, walk, leases, settling
-- now, worker, whether its process is proven gone; the number of claims to release, and id and
-- token of each; the settlements, see settling.lua.
-- Writes what the rescuer decided about the claims of a dead worker, unless that has come back or
-- another rescuer was faster. Returns 1 when it was written.

local worker, gone = take(), take() == "1"
local lease = call("ZSCORE", P .. "leases", worker)
if not lease or not (gone or tonumber(lease) <= server) then return 0 end
call("ZREM", P .. "leases", worker)
call("ZADD", P .. "workers", clock, worker)
call("HSET", P .. "worker:" .. worker, "stopped", clock, "struck", 1)
call("HDEL", P .. "worker:" .. worker, "handed")

-- Should the worker wake, it learns what it has to end.
local running = call("ZRANGE", P .. "running:" .. worker, 0, -1)
for _, member in ipairs(running) do
  local id = member:sub(15)
  local token = call("HGET", P .. "task:" .. id, "token")
  if token then
    call("RPUSH", P .. "lost:" .. worker, id, token)
  else
    call("ZREM", P .. "running:" .. worker, member)
  end
end
call("EXPIRE", P .. "lost:" .. worker, 3600)

for _ = 1, tonumber(take()) do
  local id, token = take(), take()
  local t = load(id)
  if t and t.phase == 3 and t.token == token then
    leave(t)
    call("HDEL", t.key, "started")
    enter(t, 2)
  end
end
settle_as_asked()
follow_up()
return done(1)

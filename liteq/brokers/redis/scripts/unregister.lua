-- uses head, tasks, walk
-- now, worker.

local worker = take()
local key = P .. "worker:" .. worker
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local t = load(member:sub(15))
  if t then
    leave(t)
    call("HDEL", t.key, "started")
    enter(t, READY)
  end
end
follow_up()
call("DEL", P .. "running:" .. worker, P .. "condemned:" .. worker, P .. "lost:" .. worker)
if call("EXISTS", key) == 1 then
  call("HDEL", key, "handed")
  call("HSET", key, "stopped", clock)
  call("ZADD", P .. "workers", clock, worker)
end
call("ZREM", P .. "leases", worker)
return done(1)

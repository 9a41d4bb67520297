-- uses head, tasks, walk, leases
-- now, worker, whether its process is proven gone, max_lost; until when failed and when dead
-- tasks are kept; what is said of those that are tried again, of the dead, of those that may not
-- be; whether it is known what had begun, and the tokens of that.
-- Answers the ids of what was taken back.

local worker, gone, max_lost = take(), take() == "1", tonumber(take())
local keep, keep_dead = take(), take()
local why_lost, why_dead, why_once = take(), take(), take()
local known, begun = take() == "1", {}
while position < #ARGV do begun[take()] = true end

-- Exactly one rescuer gets past this.
local lease = call("ZSCORE", P .. "leases", worker)
if not lease or not (gone or tonumber(lease) <= server) then return {} end
call("ZREM", P .. "leases", worker)
call("ZADD", P .. "workers", clock, worker)
call("HSET", P .. "worker:" .. worker, "stopped", clock, "struck", 1)
call("HDEL", P .. "worker:" .. worker, "handed")

local function bury(t, phase, lost)
  local why = phase == DEAD and why_dead:gsub("{lost}", lost) or why_once
  local kept = phase == DEAD and keep_dead or keep
  leave(t)
  call("HDEL", t.key, "result", "serializer", "reported")
  call("HSET", t.key, "traceback", why, "lost", lost, "finished", clock)
  finish(t, phase, kept ~= "" and kept or nil)
end

local function take_back(t)
  local once, lost = unpack(call("HMGET", t.key, "once", "lost"))
  lost = tonumber(lost or "0") + 1
  if once then return bury(t, FAILED, lost) end
  if not known or begun[t.token] then
    if lost >= max_lost then return bury(t, DEAD, lost) end
    remember(t, clock, "lost", why_lost)
    call("HSET", t.key, "lost", lost)
  end
  leave(t)
  call("HDEL", t.key, "started")
  enter(t, READY)
end

local ids = {}
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local id = member:sub(15)
  local t = load(id)
  if t then
    -- Should the worker wake, it learns what it has to end.
    call("RPUSH", P .. "lost:" .. worker, id, t.token)
    take_back(t)
    ids[#ids + 1] = id
  else
    call("ZREM", P .. "running:" .. worker, member)
  end
end
call("EXPIRE", P .. "lost:" .. worker, 3600)
follow_up()
return done(ids)

-- uses head, tasks, walk, leases
--
-- Take the claims of a dead worker from it.
--
-- KEYS     the prefix
-- ARGV     now, worker, whether its process is proven gone, max_lost; until when failed and when
--          dead tasks are kept; the errors of tasks that are tried again, are dead, may not run
--          again; whether it is known which claims had started, and the tokens of these
-- Returns  the ids of the tasks

local worker, gone, max_lost = next_arg(), next_arg() == "1", tonumber(next_arg())
local keep, keep_dead = next_arg(), next_arg()
local why_lost, why_dead, why_once = next_arg(), next_arg(), next_arg()
local known, begun = next_arg() == "1", {}
while more_args() do begun[next_arg()] = true end

-- Exactly one rescuer gets past this.
local lease = call("ZSCORE", P .. "leases", worker)
if not lease or not (gone or tonumber(lease) <= server_time) then return {} end
call("ZREM", P .. "leases", worker)
call("ZADD", P .. "workers", timestamp, worker)
call("HSET", P .. "worker:" .. worker, "stopped", timestamp, "struck", 1)
call("HDEL", P .. "worker:" .. worker, "handed")

local function end_lost(t, phase, lost)
  local why = phase == DEAD and why_dead:gsub("{lost}", lost) or why_once
  local kept = phase == DEAD and keep_dead or keep
  leave_phase(t)
  call("HDEL", t.key, "result", "serializer", "reported")
  call("HSET", t.key, "traceback", why, "lost", lost, "finished", timestamp)
  finish(t, phase, kept ~= "" and kept or nil)
end

local function take_back(t)
  local once, lost = unpack(call("HMGET", t.key, "once", "lost"))
  lost = tonumber(lost or "0") + 1
  if once then return end_lost(t, FAILED, lost) end
  if not known or begun[t.token] then
    if lost >= max_lost then return end_lost(t, DEAD, lost) end
    add_attempt(t, timestamp, "lost", why_lost)
    call("HSET", t.key, "lost", lost)
  end
  leave_phase(t)
  call("HDEL", t.key, "started")
  enter_phase(t, READY)
end

local ids = {}
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local id = id_of(member)
  local t = load_task(id)
  if t then
    -- If the worker was only late, it has to terminate the task, see to_terminate.lua.
    call("RPUSH", P .. "lost:" .. worker, id, t.token)
    take_back(t)
    ids[#ids + 1] = id
  else
    call("ZREM", P .. "running:" .. worker, member)
  end
end
call("EXPIRE", P .. "lost:" .. worker, 3600)
propagate_ends()
return end_script(ids)

-- uses head, tasks, limiting, events
--
-- Emit an event, and make the tasks ready that wait for it.
--
-- KEYS     the prefix
-- ARGV     now; key, id of the call, value, serializer, when it was emitted, until when it is kept
--          (empty: for ever) (`event_args` in arguments.py)
-- Returns  1; 0 if an event of that key is kept, which another call has emitted

local name, id, value, serializer, at, keep = next_args(6)
local key, waiting = P .. "event:" .. name, P .. "awaiting:" .. name
if live_event(name) then return call("HGET", key, "id") == id and 1 or 0 end
call("DEL", key)
call("HSET", key, "id", id, "value", value, "serializer", serializer, "at", at)
if keep ~= "" then call("HSET", key, "keep", keep) end
call("ZADD", P .. "events", keep == "" and "+inf" or keep, name)

local function wake_by_event(task_id)
  local task = load_task(task_id)
  if not task or (task.phase ~= WAITING and task.phase ~= SCHEDULED) then return end
  if call("HGET", task.key, "event") ~= name then return end
  take_event(task_id, name, value, serializer)
  leave_phase(task)
  call("HDEL", task.key, "event")
  enter_phase(task, READY)
end

for _, task_id in ipairs(call("SMEMBERS", waiting)) do try(wake_by_event, task_id) end
call("DEL", waiting)
return end_script(1)

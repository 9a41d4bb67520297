-- Durable steps of tasks, and the events that tasks wait for.

local STEP_FIELDS = { "kind", "at", "until", "value", "serializer", "failed" }

-- Read steps from the arguments, as `step_args` in arguments.py has them: their number (-1: those
-- that the task has are to be forgotten), and of each the name, and the number of fields and
-- values, and these. Return them unread, to be stored by `store_steps`; nil for -1.
local function read_steps()
  local count = tonumber(next_arg())
  if count < 0 then return nil end
  local steps = {}
  for n = 1, count do
    local name, size = next_args(2)
    local first, last = skip_args(tonumber(size))
    steps[n] = { name = name, first = first, last = last }
  end
  return steps
end

local function store_steps(id, steps)
  local key = P .. "steps:" .. id
  if not steps then
    call("DEL", key)
    return
  end
  for _, step in ipairs(steps) do
    local old, new = {}, {}
    for n, field in ipairs(STEP_FIELDS) do old[n] = step.name .. "\n" .. field end
    for at = step.first, step.last, 2 do
      new[#new + 1] = step.name .. "\n" .. args[at]
      new[#new + 1] = args[at + 1]
    end
    call("HDEL", key, unpack(old))
    call("HSET", key, unpack(new))
  end
end

-- Give the step of a task that waits for an event the value of that.
local function take_event(id, name, value, serializer)
  local key = P .. "steps:" .. id
  if call("HEXISTS", key, name .. "\nkind") == 0 then return end
  call("HSET", key, name .. "\nvalue", value, name .. "\nserializer", serializer,
    name .. "\nat", timestamp)
end

local function stop_awaiting(task)
  local event = call("HGET", task.key, "event")
  if not event then return end
  call("HDEL", task.key, "event")
  call("SREM", P .. "awaiting:" .. event, task.id)
end

-- Return the value and the serializer of an event; nil if there is none, or it is too old.
local function live_event(name)
  local value, serializer, keep =
    unpack(call("HMGET", P .. "event:" .. name, "value", "serializer", "keep"))
  keep = number_in(keep)
  if not value or not serializer or (keep and tonumber(keep) <= now) then return nil end
  return value, serializer
end

-- Let a task wait for an event. If that was emitted, and is kept still, the task has its value:
-- then return true.
local function await_event(task, name)
  local value, serializer = live_event(name)
  if value then
    take_event(task.id, name, value, serializer)
    return true
  end
  call("HSET", task.key, "event", name)
  call("SADD", P .. "awaiting:" .. name, task.id)
  return false
end

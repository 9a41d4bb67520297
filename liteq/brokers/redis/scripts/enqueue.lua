-- uses head
--
-- Store tasks that are in no workflow. It does what `insert_tasks` in sending.lua does; a single
-- task is what is sent most, so this script is written to be short for it.
--
-- KEYS     the prefix
-- ARGV     now; the number of messages, and these: id, queue, message, the number of further
--          fields and values, and these (`message_args` in arguments.py)
-- Returns  1

local n = tonumber(next_arg())
local seq = call("INCRBY", P .. "seq", n) - n
for each = 1, n do
  local id, queue, message, size = next_args(4)
  local first, last = skip_args(tonumber(size))
  local key = P .. "task:" .. id
  if call("EXISTS", key) == 0 then
    local place = string.format("%014.0f", seq + each)
    local phase, score, index = READY, 0, P .. "ready:" .. queue
    for at = first, last, 2 do
      local field, value = ARGV[at], ARGV[at + 1]
      if field == "priority" then
        score = -tonumber(value)
      elseif field == "eta" and tonumber(value) > now then
        phase = SCHEDULED
      end
      call("HSET", key, field, value)
    end
    if phase == SCHEDULED then
      score, index = call("HGET", key, "eta"), P .. "scheduled"
    end
    call("HSET", key, "phase", phase, "seq", place, "queue", queue, "message", message,
      "created", timestamp)
    call("ZADD", index, score, place .. id)
    change_count(queue, phase, 1)
  end
end
to_notify.work = true
return end_script(1)

-- uses head
-- now; the number of messages, and these: see sending.lua. It does the same for tasks that are in
-- no workflow; a single one is what is sent most, so it stands here without detours.

local ready = {}
local n = tonumber(take())
local seq = call("INCRBY", P .. "seq", n) - n
for each = 1, n do
  local id, queue, message, more = take(), take(), take(), tonumber(take())
  local key = P .. "task:" .. id
  if call("EXISTS", key) == 0 then
    local place = string.format("%014.0f", seq + each)
    local phase, score, index = READY, 0, P .. "ready:" .. queue
    for at = position + 1, position + more, 2 do
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
      "created", clock)
    call("ZADD", index, score, place .. id)
    tally(queue, phase, 1)
  end
  position = position + more
end
news.work = true
return done(1)

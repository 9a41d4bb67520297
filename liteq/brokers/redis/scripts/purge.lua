-- uses head, tasks, walk
-- now, how many to look at, how many of the ready and of the scheduled ones to drop, how many
-- scheduled ones to pass over, queues...
-- Drops what waits to be run, a batch at a time; what others wait for ends as cancelled. Answers
-- how many of either kind, and how many scheduled ones have been passed over by now.

local limit = tonumber(take())
local ready, scheduled = tonumber(take()), tonumber(take())
local offset = tonumber(take())
local queues, passed = {}, offset
local dropped = { [READY] = 0, [SCHEDULED] = 0 }
for at = position + 1, #ARGV do queues[ARGV[at]] = true end

local function drop_one(member)
  local t = load(member:sub(15))
  if not t then return end
  dropped[t.phase] = dropped[t.phase] + 1
  if t.tied then
    leave(t)
    call("HSET", t.key, "finished", clock)
    finish(t, CANCELLED, clock)
  else
    delete(t)
  end
end

for queue in pairs(queues) do
  local most = math.min(limit, ready) - dropped[READY]
  if most > 0 then
    for _, member in ipairs(call("ZRANGE", P .. "ready:" .. queue, 0, most - 1)) do
      drop_one(member)
    end
  end
end
if scheduled > 0 then
  for _, member in ipairs(call("ZRANGE", P .. "scheduled", offset, offset + limit - 1)) do
    local wanted = queues[call("HGET", P .. "task:" .. member:sub(15), "queue")]
    if wanted and dropped[SCHEDULED] < scheduled then
      drop_one(member)
    else
      passed = passed + 1
    end
  end
end
follow_up()
return done({ dropped[READY], dropped[SCHEDULED], passed })

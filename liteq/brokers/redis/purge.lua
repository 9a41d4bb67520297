-- uses head, tasks, walk
-- now, limit, how many scheduled ones to pass over, queues...
-- Drops what waits to be run, a batch at a time; what others wait for ends as cancelled. Answers
-- how many, and how many scheduled ones have been passed over by now.

local limit, offset = tonumber(take()), tonumber(take())
local queues, n, passed = {}, 0, offset
for at = position + 1, #ARGV do queues[ARGV[at]] = true end

local function drop_one(member)
  local t = load(member:sub(15))
  if not t then return end
  n = n + 1
  if t.tied then
    leave(t)
    call("HSET", t.key, "finished", clock)
    finish(t, 7, clock)
  else
    delete(t)
  end
end

for queue in pairs(queues) do
  if n < limit then
    for _, member in ipairs(call("ZRANGE", P .. "ready:" .. queue, 0, limit - n - 1)) do
      drop_one(member)
    end
  end
end
if n < limit then
  for _, member in ipairs(call("ZRANGE", P .. "scheduled", offset, offset + limit - n - 1)) do
    if queues[call("HGET", P .. "task:" .. member:sub(15), "queue")] then
      drop_one(member)
    else
      passed = passed + 1
    end
  end
end
follow_up()
return done({ n, passed })

-- uses head
--
-- Delete workers that stopped long ago, up to 100 at a time. Bring the list of what workers have
-- left up to date: another program may have changed it.
--
-- KEYS     the prefix
-- ARGV     now, the time before which they must have stopped
-- Returns  1

local stopped = call("ZRANGEBYSCORE", P .. "workers", "-inf", next_arg(), "LIMIT", 0, 100)
for _, worker in ipairs(stopped) do
  if call("EXISTS", P .. "running:" .. worker) == 0 then
    call("ZREM", P .. "workers", worker)
    call("DEL", P .. "worker:" .. worker, P .. "knows:" .. worker)
  end
end

for _, own in ipairs(call("HKEYS", P .. "left")) do
  if call("ZCARD", P .. "ready:" .. own) == 0 then call("HDEL", P .. "left", own) end
end
for _, field in ipairs(call("HKEYS", P .. "counts")) do
  local phase, own = field:match("^(%d+):(.*\n.*)$")
  if phase == tostring(READY) and call("ZCARD", P .. "ready:" .. own) > 0 then
    call("HSETNX", P .. "left", own, timestamp)
  end
end
return end_script(1)

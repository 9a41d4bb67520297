-- uses head
--
-- Delete workers that stopped long ago, up to 100 at a time.
--
-- KEYS     the prefix
-- ARGV     now, the time before which they must have stopped
-- Returns  1

local stopped = call("ZRANGEBYSCORE", P .. "workers", "-inf", next_arg(), "LIMIT", 0, 100)
for _, worker in ipairs(stopped) do
  if call("EXISTS", P .. "running:" .. worker) == 0 then
    call("ZREM", P .. "workers", worker)
    call("DEL", P .. "worker:" .. worker)
  end
end
return end_script(1)

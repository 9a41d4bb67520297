-- uses head, tasks, limiting
--
-- Let no task pass a limit before a moment.
--
-- KEYS     the prefix
-- ARGV     now, key, until when (empty: end that)
-- Returns  1

local key, held = next_args(2)
call("HSETNX", P .. "limit:" .. key, "name", key)
call("ZADD", P .. "limits", "+inf", key)
if held == "" then
  call("HDEL", P .. "limit:" .. key, "held")
else
  call("HSET", P .. "limit:" .. key, "held", held)
end
recall(key)
return end_script(1)

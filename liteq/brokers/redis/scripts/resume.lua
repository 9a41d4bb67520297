-- uses head
--
-- Delete a pause, and notify all workers.
--
-- KEYS     the prefix
-- ARGV     now, kind, name
-- Returns  1 if there was one, else 0

local kind, name = next_args(2)
local deleted = call("HDEL", P .. "paused", kind .. ":" .. name)
to_notify.work = true
return end_script(sent_again and 1 or deleted)

-- uses head
--
-- Store a pause.
--
-- KEYS     the prefix
-- ARGV     now, kind, name, since when, what schedules do
-- Returns  1 if there was none of this kind and name, else 0

local kind, name, since, schedules = next_args(4)
local field = kind .. ":" .. name
local known = call("HGET", P .. "paused", field)
local first = known and known:match("^[^\n]*")
call("HSET", P .. "paused", field, (first or since) .. "\n" .. schedules)
if not known or (sent_again and first == since) then return 1 end
return 0

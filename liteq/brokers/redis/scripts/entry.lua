-- uses head
--
-- KEYS     the prefix
-- ARGV     now, the name of an entry
-- Returns  as schedules.lua, of that entry alone; nothing if there is none

local name = next_arg()
if not call("ZSCORE", P .. "schedules", name) then return {} end
local read, fields = try(call, "HGETALL", P .. "schedule:" .. name)
if not read then fields = {} end
fields[#fields + 1] = "name"
fields[#fields + 1] = name
return { fields }

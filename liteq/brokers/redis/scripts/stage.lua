-- uses head
--
-- Keep a part of a bulk, unread. Unless the bulk is sent within a minute, it is dropped: then its
-- sender was killed.
--
-- KEYS     the prefix
-- ARGV     now, bulk, the number of the part, from 1; what is in it, see store_part.lua
-- Returns  1

local bulk, number = next_args(2)
local values = {}
while more_args() do values[#values + 1] = next_arg() end
call("HSET", P .. "bulk:" .. bulk, number, cmsgpack.pack(values))
call("EXPIRE", P .. "bulk:" .. bulk, 60)
return 1

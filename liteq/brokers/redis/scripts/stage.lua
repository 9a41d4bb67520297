-- uses head
--
-- Keep a part of a bulk, unread. Unless the bulk is sent within a minute, it is dropped: then its
-- sender was killed.
--
-- KEYS     the prefix
-- ARGV     now, bulk, the number of the part, from 1; the part, see store_part.lua
-- Returns  1

local bulk, number, part = next_args(3)
call("HSET", P .. "bulk:" .. bulk, number, part)
call("EXPIRE", P .. "bulk:" .. bulk, 60)
return 1

-- uses head
--
-- Return the answers to the orders of a call.
--
-- KEYS     the prefix
-- ARGV     now, call
-- Returns  of each: the worker, and the answer

local read, found = try(call, "HGETALL", P .. "answers:" .. next_arg())
return read and found or {}

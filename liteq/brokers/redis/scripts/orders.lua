-- uses head
--
-- Return the orders that a worker has not answered.
--
-- KEYS     the prefix
-- ARGV     now, worker, the number of orders and of bytes in one that are read at most
-- Returns  of each: the id of its call, and the order; empty if it is too long

local worker, most, longest = next_args(3)
local key, found = P .. "orders:" .. worker, {}
local read, ids = try(call, "HKEYS", key)
for n, id in ipairs(read and ids or {}) do
  if n > tonumber(most) then break end
  local fits = call("HSTRLEN", key, id) <= tonumber(longest)
  found[#found + 1] = id
  found[#found + 1] = fits and call("HGET", key, id) or ""
end
return found

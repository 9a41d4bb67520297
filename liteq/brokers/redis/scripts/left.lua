-- uses head
--
-- Return what workers have left.
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  of each: the queue that such tasks are kept in, since when, and how many there are

local found, fields = {}, call("HGETALL", P .. "left")
for at = 1, #fields, 2 do
  local own = fields[at]
  local read, tasks = try(call, "ZCARD", P .. "ready:" .. own)
  found[#found + 1] = { own, fields[at + 1], read and tasks or 0 }
end
return found

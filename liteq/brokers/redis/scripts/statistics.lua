-- uses head
--
-- Return the statistics of some periods.
--
-- KEYS     the prefix
-- ARGV     now; the periods as `<seconds>:<start>`
-- Returns  the hash of each, as count.lua has it

local found = {}
while more_args() do
  local read, fields = try(call, "HGETALL", P .. "stat:" .. next_arg())
  found[#found + 1] = read and fields or {}
end
return found

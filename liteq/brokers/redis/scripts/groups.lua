-- uses head
--
-- Return groups, to be moved to another store.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  for each the fields and values: none for an unknown one, nil for what is no group
--          (`moved_group_of` in moving.py)

local found = {}
while more_args() do
  local read, fields = try(call, "HGETALL", P .. "group:" .. next_arg())
  found[#found + 1] = read and fields
end
return found

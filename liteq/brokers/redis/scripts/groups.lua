-- uses head
--
-- Return groups, to be moved to another store.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  for each the fields and values; none for an unknown one (`moved_group_of` in moving.py)

local found = {}
while more_args() do found[#found + 1] = call("HGETALL", P .. "group:" .. next_arg()) end
return found

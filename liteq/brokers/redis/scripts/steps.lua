-- uses head
--
-- Return the durable steps of tasks, to be moved to another store.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  for each id the fields and values of its steps (`steps_of` in steps.py)

local found = {}
while more_args() do
  local read, fields = try(call, "HGETALL", P .. "steps:" .. next_arg())
  found[#found + 1] = read and fields or {}
end
return found

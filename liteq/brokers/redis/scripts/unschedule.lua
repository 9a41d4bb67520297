-- uses head
--
-- Delete entries of periodic tasks.
--
-- KEYS     the prefix
-- ARGV     now, names...
-- Returns  the names of the entries that were deleted

local found = {}
while more_args() do
  local name = next_arg()
  if call("DEL", P .. "schedule:" .. name) == 1 then
    call("ZREM", P .. "schedules", name)
    found[#found + 1] = name
  end
end
return end_script(found)

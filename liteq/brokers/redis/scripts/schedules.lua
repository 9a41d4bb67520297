-- uses head
--
-- KEYS     the prefix
-- ARGV     now, until when entries are due (inf: all of them)
-- Returns  the fields and values of each entry, with `name` added (`entries_of` in schedules.py)

local found = {}
for _, name in ipairs(call("ZRANGEBYSCORE", P .. "schedules", "-inf", next_arg())) do
  local read, fields = try(call, "HGETALL", P .. "schedule:" .. name)
  if not read then fields = {} end
  fields[#fields + 1] = "name"
  fields[#fields + 1] = name
  found[#found + 1] = fields
end
return found

-- uses head
-- now, until when they are due (+inf: all). Answers all fields of each, and its name.

local found = {}
for _, name in ipairs(call("ZRANGEBYSCORE", P .. "schedules", "-inf", take())) do
  local fields = call("HGETALL", P .. "schedule:" .. name)
  fields[#fields + 1] = "name"
  fields[#fields + 1] = name
  found[#found + 1] = fields
end
return found

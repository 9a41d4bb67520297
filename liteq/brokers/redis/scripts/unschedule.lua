-- uses head
-- now, names... Answers those that there were.

local found = {}
while position < #ARGV do
  local name = take()
  if call("DEL", P .. "schedule:" .. name) == 1 then
    call("ZREM", P .. "schedules", name)
    found[#found + 1] = name
  end
end
return done(found)

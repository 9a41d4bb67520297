-- uses head, tasks
-- now, limit. Answers when the next one is due, if any.

for _, member in ipairs(call("ZRANGEBYSCORE", P .. "scheduled", "-inf", clock, "LIMIT", 0, take())) do
  local t = load(member:sub(15))
  if t then
    leave(t)
    enter(t, READY)
  else
    call("ZREM", P .. "scheduled", member)
  end
end
return done(call("ZRANGE", P .. "scheduled", 0, 0, "WITHSCORES")[2])

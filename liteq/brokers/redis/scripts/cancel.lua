-- uses head, tasks, walk
-- now, seconds to keep what ends by this (empty: for ever), terminate, ids...
-- Answers the ids of those that had not ended.

local keep, terminate = take(), take() == "1"
local found = {}
while position < #ARGV do
  local id = take()
  local t = load(id)
  if t and t.phase < SUCCEEDED then
    call("HSET", t.key, "revoked", keep, "terminate", terminate and 1 or 0)
    t.revoked = keep
    if t.phase < RUNNING then
      leave(t)
      enter(t, t.phase)
    elseif terminate then
      call("SADD", P .. "condemned:" .. t.worker, id)
      news.work = true
    else
      call("SREM", P .. "condemned:" .. t.worker, id)
    end
    found[#found + 1] = id
  end
end
follow_up()
return done(found)

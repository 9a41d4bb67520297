-- uses head, tasks, walk
-- now; id and message of each. Answers the ids of those that are ready again.

local NAMES = {
  [FAILED] = "failed", [DEAD] = "dead", [CANCELLED] = "cancelled", [SKIPPED] = "skipped",
}
local found = {}
while position < #ARGV do
  local id, message = take(), take()
  local t = load(id)
  if t and t.phase > SUCCEEDED then
    local v = call("HMGET", t.key, "started", "finished", "traceback")
    if v[1] and NAMES[t.phase] then remember(t, v[2] or "", NAMES[t.phase], v[3] or "") end
    leave(t)
    call("HDEL", t.key, "eta", "started", "finished", "keep", "revoked", "terminate", "lost",
      "result", "serializer", "traceback", "reported")
    call("HSET", t.key, "message", message)
    t.eta, t.keep, t.revoked = nil, nil, nil
    enter(t, READY)
    blame_no_more(id)
    found[#found + 1] = id
  end
end
return done(found)

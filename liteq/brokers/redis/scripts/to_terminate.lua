-- uses head, tasks
-- now, worker. Answers id and token of what it is to end: revoked, or taken from it.

local worker = take()
local found = call("LRANGE", P .. "lost:" .. worker, 0, -1)
for _, id in ipairs(call("SMEMBERS", P .. "condemned:" .. worker)) do
  local t = load(id)
  if t and t.phase == RUNNING and t.worker == worker then
    found[#found + 1] = id
    found[#found + 1] = t.token
  else
    call("SREM", P .. "condemned:" .. worker, id)
  end
end
return found

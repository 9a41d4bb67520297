-- uses head, leases
-- now, boot. Answers the workers whose lease has ended, with their `info`; and of the others
-- those that were started on the machine since that `boot`, with their `owner`: the caller can
-- see whether those processes are there.

local boot = take()
local ended_leases, here = {}, {}
local listed = call("ZRANGE", P .. "leases", 0, -1, "WITHSCORES")
for n = 1, #listed, 2 do
  local key = P .. "worker:" .. listed[n]
  if tonumber(listed[n + 1]) <= server then
    ended_leases[#ended_leases + 1] = { listed[n], call("HGET", key, "info") or "{}" }
  elseif boot ~= "" then
    local v = call("HMGET", key, "boot", "owner", "info")
    if v[1] == boot then here[#here + 1] = { listed[n], v[3] or "{}", v[2] } end
  end
end
return { ended_leases, here }

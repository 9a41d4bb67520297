-- uses head, leases, claiming
-- now, worker. Returns the claims that it holds, as they were handed out.

local worker, found = take(), {}
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local id = member:sub(15)
  local v = call("HMGET", P .. "task:" .. id, "phase", "token", "worker")
  if v[1] == "3" and v[3] == worker then
    found[#found + 1] = (delivery(id, tonumber(v[2])))
  end
end
return found

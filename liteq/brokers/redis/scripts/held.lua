-- uses head, leases, claiming, passing
--
-- Return what a rescue of a worker's claims is decided by.
--
-- KEYS     the prefix
-- ARGV     now, worker
-- Returns  the worker's info, and the deliveries that it holds

local worker, found = next_arg(), {}
for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
  local id = id_of(member)
  local token = token_of_claim(id, worker)
  if token then found[#found + 1] = (readable_delivery(id, token)) end
end
return { call("HGET", P .. "worker:" .. worker, "info") or "{}", found }

-- uses head
--
-- Return which claims are of tasks that were revoked, or were lost.
--
-- KEYS     the prefix
-- ARGV     now; id and token of each
-- Returns  the numbers, from 0, of those

local found, n = {}, 0
while more_args() do
  local id, token = next_args(2)
  local read, fields = try(call, "HMGET", P .. "task:" .. id, "phase", "token", "revoked")
  if not read or fields[1] ~= tostring(RUNNING) or fields[2] ~= token or fields[3] then
    found[#found + 1] = n
  end
  n = n + 1
end
return found

-- uses head, leases
--
-- Return workers that are, or may be, dead.
--
-- KEYS     the prefix
-- ARGV     now, the boot of the caller's machine (empty: unknown)
-- Returns  those whose lease has ended, and those that were started since that boot, as the caller
--          may see their processes: number, whether its lease has ended, owner

local boot, found = next_arg(), {}
local leases = call("ZRANGE", P .. "leases", 0, -1, "WITHSCORES")
for n = 1, #leases, 2 do
  local worker = leases[n]
  local read, fields = try(call, "HMGET", P .. "worker:" .. worker, "boot", "owner")
  local its_boot, owner = unpack(read and fields or {})
  owner = owner or ""
  local is_over = has_ended(leases[n + 1], owner)
  if is_over or (boot ~= "" and its_boot == boot) then
    found[#found + 1] = { worker, is_over and 1 or 0, owner }
  end
end
return found

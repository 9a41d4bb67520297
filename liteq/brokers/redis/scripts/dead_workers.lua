-- uses head, leases
--
-- Return workers that are, or may be, dead.
--
-- KEYS     the prefix
-- ARGV     now, the boot of the caller's machine (empty: unknown)
-- Returns  number, info and owner of those whose lease has ended; and of the others that were
--          started since that boot. The caller can see whether the owners' processes exist.

local boot = next_arg()
local expired, local_workers = {}, {}
local leases = call("ZRANGE", P .. "leases", 0, -1, "WITHSCORES")
for n = 1, #leases, 2 do
  local worker, lease_end = leases[n], tonumber(leases[n + 1])
  local its_boot, owner, info =
    unpack(call("HMGET", P .. "worker:" .. worker, "boot", "owner", "info"))
  if lease_end <= server_time then
    expired[#expired + 1] = { worker, info or "{}", owner or "" }
  elseif boot ~= "" and its_boot == boot then
    local_workers[#local_workers + 1] = { worker, info or "{}", owner }
  end
end
return { expired, local_workers }

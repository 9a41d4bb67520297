-- uses head
--
-- Return what says how long tasks waited for their last start.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  of each task created, eta and started

local found = {}
for n, id in ipairs({ unpack(args, last_arg + 1) }) do
  local read, times = try(call, "HMGET", P .. "task:" .. id, "created", "eta", "started")
  found[n] = read and times or {}
end
return found

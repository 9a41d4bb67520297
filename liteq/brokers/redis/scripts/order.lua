-- uses head
--
-- Store orders to workers, and notify those.
--
-- KEYS     the prefix
-- ARGV     now, then for each order: worker, call, the order, and for how many milliseconds it and
--          its answer are kept
-- Returns  1

while more_args() do
  local worker, id, order, keep = next_args(4)
  local key = P .. "orders:" .. worker
  if call("HEXISTS", P .. "answers:" .. id, worker) == 0 then call("HSETNX", key, id, order) end
  if call("PTTL", key) < tonumber(keep) then call("PEXPIRE", key, keep) end
  local read, owner = try(call, "HGET", P .. "worker:" .. worker, "owner")
  if read and owner then call("PUBLISH", P .. "process:" .. owner, "") end
end
return end_script(1)

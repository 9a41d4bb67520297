-- uses head
--
-- Send a bulk: from now on it is stored, although its parts are still to be read. Its sender
-- reads them, by store_part.lua; if that is killed, a worker does.
--
-- KEYS     the prefix
-- ARGV     now, bulk, the number of its parts, of its tasks; for a workflow the id of its first
--          message, by which it is known (else empty)
-- Returns  1; 0 if parts are missing: they were dropped, or the server was restarted

local bulk, parts, tasks, first = next_args(4)
local key = P .. "bulk:" .. bulk

local function is_known()
  if first == "" then return false end
  if call("EXISTS", P .. "task:" .. first) == 1 then return true end
  for _, other in ipairs(call("LRANGE", P .. "bulks", 0, -1)) do
    local read, its_first = try(call, "HGET", P .. "bulk:" .. other, "first")
    if read and its_first == first then return true end
  end
  return false
end

if call("HEXISTS", key, "seq") == 1 then return 1 end -- it was sent, and the reply was lost
if is_known() then
  call("DEL", key)
  return 1
end
if call("HLEN", key) ~= tonumber(parts) then
  call("DEL", key)
  return 0
end
local seq = call("INCRBY", P .. "seq", tasks) - tasks
call("HSET", key, "seq", seq, "first", first, "next", 1, "parts", parts, "touched", timestamp)
call("PERSIST", key)
call("RPUSH", P .. "bulks", bulk)
to_notify.work = true
return end_script(1)

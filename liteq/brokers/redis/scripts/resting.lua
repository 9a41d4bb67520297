-- uses head
--
-- Return a place in the order of sending up to which all workflows are stored whole.
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  the place; nil if a task of a workflow runs

local function is_in_workflow(id)
  local tied, waits = unpack(call("HMGET", P .. "task:" .. id, "tied", "waits"))
  return tied or waits
end

for _, worker in ipairs(call("ZRANGE", P .. "workers", 0, -1)) do
  for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
    local read, found = try(is_in_workflow, id_of(member))
    if read and found then return false end
  end
end
local last = tonumber(call("GET", P .. "seq") or "0")
for _, bulk in ipairs(call("LRANGE", P .. "bulks", 0, -1)) do
  local read, seq = try(call, "HGET", P .. "bulk:" .. bulk, "seq")
  if read and number_in(seq) then last = math.min(last, tonumber(seq)) end
end
return string.format("%.0f", last)

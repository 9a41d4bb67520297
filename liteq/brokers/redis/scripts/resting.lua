-- uses head
--
-- Return a place in the order of sending up to which all workflows are stored whole.
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  the place; nil if a task of a workflow runs

for _, worker in ipairs(call("ZRANGE", P .. "workers", 0, -1)) do
  for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
    local tied, waits = unpack(call("HMGET", P .. "task:" .. id_of(member), "tied", "waits"))
    if tied or waits then return false end
  end
end
local last = tonumber(call("GET", P .. "seq") or "0")
for _, bulk in ipairs(call("LRANGE", P .. "bulks", 0, -1)) do
  last = math.min(last, tonumber(call("HGET", P .. "bulk:" .. bulk, "seq") or last))
end
return string.format("%.0f", last)

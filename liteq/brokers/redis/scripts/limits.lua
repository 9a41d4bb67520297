-- uses head
--
-- Return what is known of limits.
--
-- KEYS     the prefix
-- ARGV     now, keys...
-- Returns  of each: the fields and values; the costs of the tasks that have passed it; how many
--          stand in its line; since when the first one waits (or nil); false for an unknown one
--          (`limits_of` in limits.py)

local function limit_of(key)
  local fields = call("HGETALL", P .. "limit:" .. key)
  if #fields == 0 then return false end
  local line, since = P .. "line:" .. key, nil
  local head = call("ZRANGE", line, 0, 0)[1]
  if head then since = call("HGET", P .. "task:" .. id_of(head), "since") end
  local costs = call("HVALS", P .. "ahead:" .. key)
  for _, cost in ipairs(call("HVALS", P .. "counted:" .. key)) do costs[#costs + 1] = cost end
  return { fields, costs, call("ZCARD", line), since or false }
end

local found = {}
for n = 2, #args do
  local read, limit = try(limit_of, args[n])
  found[n - 1] = read and limit
end
return found

-- uses head, tasks, limiting
--
-- Set the numbers of a limit, or of all that have this name.
--
-- KEYS     the prefix
-- ARGV     now, key, running, rate, burst (these three or empty), whether they stay: 1 or 0
-- Returns  1

local key, running, rate, burst, fixed = next_args(5)

local function set(each)
  write_rule(each, running, rate, burst)
  recall(each)
end

if key:find("{}", 1, true) then
  for _, each in ipairs(call("ZRANGE", P .. "limits", 0, -1)) do
    local limit = load_limit(each)
    if limit and limit.name == key and each ~= key and not limit.fixed then set(each) end
  end
end
call("HSETNX", P .. "limit:" .. key, "name", key)
call("HSET", P .. "limit:" .. key, "fixed", fixed)
call("ZADD", P .. "limits", "+inf", key)
set(key)
return end_script(1)

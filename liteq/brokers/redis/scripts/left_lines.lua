-- uses head, tasks, limiting
--
-- Look for lines at which nobody would look, and for places that are taken by tasks that have
-- ended.
--
-- KEYS     the prefix
-- ARGV     now; 1 to put them in order; keys of limits...
-- Returns  how many tasks stand in such lines; how many such places there are

local mend = next_arg() == "1"
local standing, leaked = 0, 0

-- Note a use of a limit whose task is not in one of two phases.
local function check_use(id, one, other, forget)
  local task = load_task(id)
  if task and (task.phase == one or task.phase == other) then return end
  leaked = leaked + 1
  if mend then forget() end
end

local function check_passed(key, hash)
  for _, id in ipairs(call("HKEYS", P .. hash .. key)) do
    check_use(id, READY, RUNNING, function() call("HDEL", P .. hash .. key, id) end)
  end
end

local function check_limit(key)
  check_passed(key, "ahead:")
  check_passed(key, "counted:")
  for _, id in ipairs(call("SMEMBERS", P .. "elsewhere:" .. key)) do
    check_use(id, WAITING, WAITING, function() call("SREM", P .. "elsewhere:" .. key, id) end)
  end
  local line = P .. "line:" .. key
  local head = standing_in(key, 1)[1]
  if head and not head.denied and not call("HGET", P .. "limit:" .. key, "look")
    and call("EXISTS", P .. "ahead:" .. key, P .. "counted:" .. key) == 0 then
    standing = standing + call("ZCARD", line)
  end
  if mend then looks[key] = true end
end

while more_args() do try(check_limit, next_arg()) end
return end_script({ standing, leaked })

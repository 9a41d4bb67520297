-- uses head
--
-- Return all tasks of workflows that do not run, and the groups that they are in, to be moved to
-- another store.
--
-- KEYS     the prefix
-- ARGV     now
-- Returns  the tasks in the order of sending: id, fields and values with `worker_name` added,
--          earlier attempts as in attempts.lua; and the groups: id, fields and values. Two empty
--          lists if a task of a workflow runs (`workflows_of` in moving.py)

local tasks, groups, seen_groups = {}, {}, {}

local function value_of(fields, name)
  for at = 1, #fields, 2 do
    if fields[at] == name then return fields[at + 1] end
  end
end

local function worker_name(worker)
  return worker and call("HGET", P .. "worker:" .. worker, "name") or ""
end

local function add_group(id)
  if seen_groups[id] then return end
  seen_groups[id] = true
  local fields = call("HGETALL", P .. "group:" .. id)
  if #fields == 0 then return end
  groups[#groups + 1] = { id, fields }
  local outer = value_of(fields, "outer")
  if outer ~= "" then add_group(outer) end
end

local function add_task(member)
  local id = id_of(member)
  local fields = call("HGETALL", P .. "task:" .. id)
  if not value_of(fields, "tied") and not value_of(fields, "waits") then return end
  fields[#fields + 1] = "worker_name"
  fields[#fields + 1] = worker_name(value_of(fields, "worker"))
  local attempts = call("LRANGE", P .. "attempts:" .. id, 0, -1)
  for n = 3, #attempts, 5 do attempts[n] = worker_name(attempts[n]) end
  tasks[#tasks + 1] = { member = member, reply = { id, fields, attempts } }
  local group = value_of(fields, "group")
  if group then add_group(group) end
end

for _, worker in ipairs(call("ZRANGE", P .. "workers", 0, -1)) do
  for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
    local tied, waits = unpack(call("HMGET", P .. "task:" .. id_of(member), "tied", "waits"))
    if tied or waits then return { {}, {} } end
  end
end
local indexes = { P .. "waiting", P .. "scheduled" }
for phase = SUCCEEDED, SKIPPED do indexes[#indexes + 1] = P .. "ended:" .. phase end
for _, field in ipairs(call("HKEYS", P .. "counts")) do
  local phase, queue = field:match("^(%d+):(.*)$")
  if tonumber(phase) == READY then indexes[#indexes + 1] = P .. "ready:" .. queue end
end
for _, index in ipairs(indexes) do
  for _, member in ipairs(call("ZRANGE", index, 0, -1)) do add_task(member) end
end
table.sort(tasks, function(a, b) return a.member < b.member end)
for n, task in ipairs(tasks) do tasks[n] = task.reply end
return { tasks, groups }

-- uses head
-- now. Answers all tasks that do not run, and all groups they are in; nothing if a task of a
-- workflow runs. Each task: id, fields, earlier attempts; each group: id, fields.

local tasks, groups, seen = {}, {}, {}

local function named(fields, name)
  for at = 1, #fields, 2 do
    if fields[at] == name then return fields[at + 1] end
  end
end

local function worker_name(number)
  return number and call("HGET", P .. "worker:" .. number, "name") or ""
end

local function add_group(id)
  if seen[id] then return end
  seen[id] = true
  local fields = call("HGETALL", P .. "group:" .. id)
  if #fields == 0 then return end
  groups[#groups + 1] = { id, fields }
  local outer = named(fields, "outer")
  if outer ~= "" then add_group(outer) end
end

local function add(member)
  local id = member:sub(15)
  local fields = call("HGETALL", P .. "task:" .. id)
  if #fields == 0 then return end
  fields[#fields + 1] = "worker_name"
  fields[#fields + 1] = worker_name(named(fields, "worker"))
  local told = call("LRANGE", P .. "attempts:" .. id, 0, -1)
  for n = 3, #told, 5 do told[n] = worker_name(told[n]) end
  tasks[#tasks + 1] = { member, id, fields, told }
  local group = named(fields, "group")
  if group then add_group(group) end
end

for _, worker in ipairs(call("ZRANGE", P .. "workers", 0, -1)) do
  for _, member in ipairs(call("ZRANGE", P .. "running:" .. worker, 0, -1)) do
    local v = call("HMGET", P .. "task:" .. member:sub(15), "tied", "waits")
    if v[1] or v[2] then return { {}, {} } end
  end
end
local keys = { P .. "waiting", P .. "scheduled" }
for phase = SUCCEEDED, SKIPPED do keys[#keys + 1] = P .. "ended:" .. phase end
local counts = call("HKEYS", P .. "counts")
for _, field in ipairs(counts) do
  if field:sub(1, 2) == READY .. ":" then keys[#keys + 1] = P .. "ready:" .. field:sub(3) end
end
for _, key in ipairs(keys) do
  for _, member in ipairs(call("ZRANGE", key, 0, -1)) do add(member) end
end
table.sort(tasks, function(a, b) return a[1] < b[1] end)
return { tasks, groups }

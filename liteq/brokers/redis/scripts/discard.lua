-- uses head, tasks, unique, walk
--
-- Delete tasks and groups that have arrived in another store, but for tasks that run by now, and
-- their groups. That they once arrived here is forgotten as well.
--
-- KEYS     the prefix
-- ARGV     now; of each: id, and when it was sent (empty: it is a group) (`arrivals_args` in
--          moving.py); groups last: one is deleted once none of its members is left
-- Returns  the numbers, from 0, of those that were deleted

local function discard_task(id, created)
  local task = load_task(id)
  if not task or task.phase == RUNNING then return false end
  if tonumber(call("HGET", task.key, "created")) ~= tonumber(created) then return false end
  delete_task(task)
  return true
end

local function discard_group(id)
  if call("EXISTS", P .. "members:" .. id) == 1 then return false end
  call("DEL", P .. "inner:" .. id, P .. "open:" .. id, P .. "failed:" .. id, P .. "barrier:" .. id)
  return call("DEL", P .. "group:" .. id) == 1
end

local deleted, number = {}, 0
while more_args() do
  local id, created = next_args(2)
  local done
  if created == "" then done = discard_group(id) else done = discard_task(id, created) end
  if done then
    deleted[#deleted + 1] = number
    call("HDEL", P .. "arrived", id .. "\n" .. created)
  end
  number = number + 1
end
return end_script(deleted)

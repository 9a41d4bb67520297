-- uses head, tasks, walk
--
-- Delete tasks and groups that have arrived in another store, but for tasks that run by now, and
-- their groups.
--
-- KEYS     the prefix
-- ARGV     now; of each: id, and when it was sent (empty: it is a group) (`arrivals_args` in
--          moving.py)
-- Returns  1

local moved_groups = {}
while more_args() do
  local id, created = next_args(2)
  if created == "" then
    moved_groups[#moved_groups + 1] = id
  else
    local task = load_task(id)
    local same = task and tonumber(call("HGET", task.key, "created")) == tonumber(created)
    if same and task.phase ~= RUNNING then delete_task(task) end
  end
end
for _, id in ipairs(moved_groups) do
  if call("EXISTS", P .. "members:" .. id) == 0 then
    call("DEL", P .. "group:" .. id, P .. "inner:" .. id, P .. "open:" .. id, P .. "failed:" .. id,
      P .. "barrier:" .. id)
  end
end
return end_script(1)

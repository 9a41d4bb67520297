-- uses head, tasks, limiting
--
-- Make scheduled tasks ready that are due, look at the lines of limits that are due, and look for a
-- bulk that its sender left unfinished.
--
-- KEYS     the prefix
-- ARGV     now, limit
-- Returns  when to look again: when the next scheduled task or line is due, or a bulk would be left
--          (nil: never); and a bulk that was left (or nil)

local scheduled = P .. "scheduled"
local due = call("ZRANGEBYSCORE", scheduled, "-inf", timestamp, "LIMIT", 0, next_arg())
for _, member in ipairs(due) do
  call("ZREM", scheduled, member) -- whatever is stored of the task
  local task = load_task(id_of(member))
  if task and task.phase == SCHEDULED then
    leave_phase(task)
    enter_phase(task, READY)
  end
end

for _, key in ipairs(call("ZRANGEBYSCORE", P .. "looks", "-inf", timestamp, "LIMIT", 0, 100)) do
  call("ZREM", P .. "looks", key) -- whatever is stored of the limit
  looks[key] = true
end
admit_all()

local LEFT_AFTER = 1 -- seconds without a part being stored
local next_look = call("ZRANGE", scheduled, 0, 0, "WITHSCORES")[2]
local look = call("ZRANGE", P .. "looks", 0, 0, "WITHSCORES")[2]
if look and (not next_look or tonumber(look) < tonumber(next_look)) then next_look = look end
local listed, bulk = pcall(call, "LINDEX", P .. "bulks", 0)
if not listed then
  end_script() -- all that was due is ready all the same
  error(bulk)
end
if bulk then
  local read, touched = try(call, "HGET", P .. "bulk:" .. bulk, "touched")
  local left_at = tonumber(read and number_in(touched) or "0") + LEFT_AFTER
  if left_at > now and left_at < now + 60 then -- a later one was written by another program
    bulk = false
    if not next_look or left_at < tonumber(next_look) then next_look = number_text(left_at) end
  end
end
return end_script({ next_look or false, bulk })

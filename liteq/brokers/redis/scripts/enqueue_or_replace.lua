-- uses head, singles, tasks, unique, walk
--
-- Store a task that is in no workflow, in place of a finished one of its id.
--
-- KEYS     the prefix
-- ARGV     when it was sent, by which it is known if this is run twice; its id; the message, see
--          singles.lua
-- Returns  1; 0 if a task of that id is kept: it has not ended, or its result is still to be
--          handed on

local id = next_arg()
local key = P .. "task:" .. id
if call("EXISTS", key) == 1 then
  local read, fields = try(call, "HMGET", key, "created", "follows")
  if read and fields[1] == timestamp then return fields[2] and 0 or 1 end
  local task = load_task(id)
  if not task or task.phase < SUCCEEDED or is_needed(task) then return 0 end
  delete_task(task)
end
insert_single(call("INCR", P .. "seq"))
end_singles()
return end_script(1)

-- uses head, tasks, limiting
--
-- Store the state that an unfinished task sets for itself.
--
-- KEYS     the prefix
-- ARGV     now, id, state, meta, serializer
-- Returns  1; 0 if there is no such task, or it has ended

local id, state, meta, serializer = next_args(4)
local task = load_task(id)
if not task or task.phase >= SUCCEEDED then return 0 end
call("HSET", task.key, "reported", state, "result", meta, "serializer", serializer)
to_notify.results = true
return end_script(1)

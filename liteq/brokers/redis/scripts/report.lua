-- uses head
--
-- Store the state that an unfinished task sets for itself.
--
-- KEYS     the prefix
-- ARGV     now, id, state, meta, serializer
-- Returns  1; 0 if there is no such task, or it has ended

local id, state, meta, serializer = next_args(4)
local key = P .. "task:" .. id
local phase = call("HGET", key, "phase")
if not phase or tonumber(phase) >= SUCCEEDED then return 0 end
call("HSET", key, "reported", state, "result", meta, "serializer", serializer)
to_notify.results = true
return end_script(1)

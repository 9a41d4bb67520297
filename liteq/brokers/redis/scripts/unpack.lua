-- uses head, tasks, sending, walk, events, output, moving
--
-- Store tasks and groups that come from another store, and that they have arrived. Known ids are
-- left as they are.
--
-- KEYS     the prefix
-- ARGV     now; for how many seconds the arrivals are remembered; the number of tasks, and these;
--          the number of groups, and these; the arrivals (`batch_args` in moving.py, and
--          moving.lua)
-- Returns  1

local keep = next_arg()
for _ = 1, tonumber(next_arg()) do unpack_task(call("INCR", P .. "seq")) end
for _ = 1, tonumber(next_arg()) do unpack_group() end
while more_args() do remember_arrival(keep) end
return end_script(1)

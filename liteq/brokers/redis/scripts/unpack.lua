-- uses head, tasks, sending, walk, moving
--
-- Store tasks and groups that come from another store. Known ids are left as they are.
--
-- KEYS     the prefix
-- ARGV     now; the number of tasks, and these; the number of groups, and these (`batch_args` in
--          moving.py; see moving.lua)
-- Returns  1

for _ = 1, tonumber(next_arg()) do unpack_task(call("INCR", P .. "seq")) end
for _ = 1, tonumber(next_arg()) do unpack_group() end
return end_script(1)

-- uses head, tasks, limiting, sending
--
-- Store tasks that are in no workflow, of which some have limits.
--
-- KEYS     the prefix
-- ARGV     now; the number of messages, and these, see sending.lua
-- Returns  1

insert_tasks(tonumber(next_arg()))
return end_script(1)

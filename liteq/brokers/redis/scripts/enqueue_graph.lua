-- uses head, tasks, unique, sending
--
-- Store a workflow, unless its first task is known.
--
-- KEYS     the prefix
-- ARGV     now, the id of the first message; the number of messages, and these; the number of
--          groups, and these (`graph_args` in arguments.py)
-- Returns  1; 0 if the workflow was stored before

if call("EXISTS", P .. "task:" .. next_arg()) == 1 then return 0 end
insert_graph()
return end_script(1)

-- uses head, tasks, sending
-- now, the id of the first message; the number of messages, and these; the same of groups.

if call("EXISTS", P .. "task:" .. take()) == 1 then return 0 end
insert_graph()
return done(1)

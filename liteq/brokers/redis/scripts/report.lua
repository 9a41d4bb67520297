-- uses head
-- now, id, state, meta, serializer. Answers whether there was such an unfinished task.

local id, state, meta, serializer = take(), take(), take(), take()
local phase = call("HGET", P .. "task:" .. id, "phase")
if not phase or tonumber(phase) >= SUCCEEDED then return 0 end
call("HSET", P .. "task:" .. id, "reported", state, "result", meta, "serializer", serializer)
news.results = true
return done(1)

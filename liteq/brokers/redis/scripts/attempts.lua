-- uses head
--
-- Return how earlier starts of a task ended.
--
-- KEYS     the prefix
-- ARGV     now, id
-- Returns  five values for each, oldest first: started, ended, worker's name, outcome, error
--          (`attempts_of` in replies.py)

local found = call("LRANGE", P .. "attempts:" .. next_arg(), 0, -1)
for n = 3, #found, 5 do found[n] = call("HGET", P .. "worker:" .. found[n], "name") or "" end
return found

-- uses head, singles
--
-- Store tasks that are in no workflow.
--
-- KEYS     the prefix
-- ARGV     now; the number of messages, and these, see singles.lua
-- Returns  1

local n = tonumber(next_arg())
local seq = call("INCRBY", P .. "seq", n) - n
local stored, why = pcall(function()
  for each = 1, n do insert_single(seq + each) end
end)
end_script() -- for those that were stored before one failed
if not stored then error(why) end
return 1

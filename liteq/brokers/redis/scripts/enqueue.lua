-- uses head, singles
--
-- Store tasks that are in no workflow.
--
-- KEYS     the prefix
-- ARGV     now; the number of messages, and these, see singles.lua
-- Returns  how many were stored: all but those whose ids are known

local n = tonumber(next_arg())
local seq = call("INCRBY", P .. "seq", n) - n
local stored = 0
local usable, why = pcall(function()
  for each = 1, n do stored = stored + insert_single(seq + each) end
end)
end_singles() -- for those that were stored before one failed
end_script()
if not usable then error(why) end
return stored

-- uses head
--
-- Return the members of a part of an index that are between two members in the order of sending.
-- What another program has put there is in that order by its text, as all members are.
--
-- KEYS     the prefix
-- ARGV     now, the index, its first and last rank to look at, the member behind which they are
--          (empty: all are), and the one before which they are (empty: all are)
-- Returns  members

local key, first, last, after, before = next_args(5)
local found = {}
for _, member in ipairs(call("ZRANGE", key, first, last)) do
  if member > after and (before == "" or member < before) then found[#found + 1] = member end
end
return found

-- uses head
--
-- Return the members of a part of an index that are between two places in the order of sending.
--
-- KEYS     the prefix
-- ARGV     now, the index, its first and last rank to look at, the place behind which they are, and
--          the place before which they are
-- Returns  members

local key, first, last, after, before = next_args(5)
after, before = tonumber(after), tonumber(before)
local found = {}
for _, member in ipairs(call("ZRANGE", key, first, last)) do
  local seq = seq_of(member)
  if seq > after and seq < before then found[#found + 1] = member end
end
return found

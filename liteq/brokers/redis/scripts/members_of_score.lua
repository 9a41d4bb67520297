-- uses head
--
-- Return the next members of an index that have one score. Their ranks change whenever a member
-- leaves, so it is looked for by the member before it. Members of one score are in the order of
-- their texts, which is that of sending.
--
-- KEYS     the prefix
-- ARGV     now, the index, the score, the member behind which to begin (empty: all), how many
-- Returns  members

local key, score, after, size = next_args(4)
local first = call("ZCOUNT", key, "-inf", "(" .. score)
local last = first + call("ZCOUNT", key, score, score) - 1
local low, high = first, last + 1
while low < high do
  local middle = math.floor((low + high) / 2)
  if call("ZRANGE", key, middle, middle)[1] > after then
    high = middle
  else
    low = middle + 1
  end
end
if low > last then return {} end
return call("ZRANGE", key, low, math.min(low + tonumber(size) - 1, last))

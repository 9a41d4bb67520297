-- uses head
--
-- Return the next members of an index that have one score. Their ranks change whenever a member
-- leaves, so it is looked for by the member before it. Members of one score are in the order of
-- their texts, which is that of sending.
--
-- KEYS     the prefix
-- ARGV     now, the index, the score, the member behind which to begin (empty: all), how many,
--          `oldest` or `newest`: which of them come first
-- Returns  members

local key, score, after, size, first_ones = next_args(5)
local newest = first_ones == "newest"
local first = call("ZCOUNT", key, "-inf", "(" .. score)
local last = first + call("ZCOUNT", key, score, score) - 1
local low, high = first, last + 1
while low < high do
  local middle = math.floor((low + high) / 2)
  local member = call("ZRANGE", key, middle, middle)[1]
  if newest and (after == "" or member < after) then
    low = middle + 1
  elseif newest or member > after then
    high = middle
  else
    low = middle + 1
  end
end
if newest then -- `low` is the rank of the first that comes no more
  if low == first then return {} end
  local card = call("ZCARD", key)
  return call("ZREVRANGE", key, card - low, card - math.max(low - tonumber(size), first) - 1)
end
if low > last then return {} end
return call("ZRANGE", key, low, math.min(low + tonumber(size) - 1, last))

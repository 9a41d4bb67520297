-- uses head, tasks, walk
-- now, limit. Answers how many were dropped.

local PAGE, MOST = 500, 5000 -- tasks that are looked at, at once and at most in one phase
local limit, over = tonumber(take()), {}

-- Up to `limit` of one phase, oldest first; those that are still needed may stand before them.
local function look(key)
  local found, seen = 0, 0
  while found < limit and seen < MOST do
    local page = call("ZRANGEBYSCORE", key, "-inf", clock, "WITHSCORES", "LIMIT", seen, PAGE)
    for n = 1, #page, 2 do
      local t = load(page[n]:sub(15))
      if not t then
        call("ZREM", key, page[n])
      elseif found < limit and not needed(t) then
        over[#over + 1] = { t, tonumber(page[n + 1]), page[n] }
        found = found + 1
      end
    end
    seen = seen + PAGE
    if #page < 2 * PAGE then return end
  end
end

for phase = SUCCEEDED, SKIPPED do look(P .. "ended:" .. phase) end
table.sort(over, function(a, b)
  if a[2] ~= b[2] then return a[2] < b[2] end
  return a[3] < b[3]
end)
local n = math.min(limit, #over)
for each = 1, n do delete(over[each][1]) end
return done(n)

-- uses head, tasks, unique, walk
--
-- Delete finished tasks that need not be kept any longer, those first whose time ended first; and
-- events that are too old.
--
-- KEYS     the prefix
-- ARGV     now, limit
-- Returns  how many were deleted

local PAGE, MOST = 500, 5000 -- tasks that are read at once, and at most in one phase
local limit = tonumber(next_arg())
local expired = {}

-- Find up to `limit` tasks of one phase. Tasks that are still needed may stand before them.
local function find_expired(phase)
  local key = P .. "ended:" .. phase
  local found, seen = 0, 0
  while found < limit and seen < MOST do
    local page = call("ZRANGEBYSCORE", key, "-inf", timestamp, "WITHSCORES", "LIMIT", seen, PAGE)
    for n = 1, #page, 2 do
      local member, keep = page[n], tonumber(page[n + 1])
      local task = load_task(id_of(member))
      if not (task and task.phase == phase) then
        call("ZREM", key, member)
      elseif found < limit and not is_needed(task) then
        expired[#expired + 1] = { task = task, keep = keep, member = member }
        found = found + 1
      end
    end
    seen = seen + PAGE
    if #page < 2 * PAGE then return end
  end
end

for _, name in ipairs(call("ZRANGEBYSCORE", P .. "events", "-inf", timestamp, "LIMIT", 0, limit)) do
  call("DEL", P .. "event:" .. name)
  call("ZREM", P .. "events", name)
end
for phase = SUCCEEDED, SKIPPED do find_expired(phase) end
table.sort(expired, function(a, b)
  if a.keep ~= b.keep then return a.keep < b.keep end
  return a.member < b.member
end)
local deleted = math.min(limit, #expired)
for n = 1, deleted do try(delete_task, expired[n].task) end
return end_script(deleted)

-- uses head, tasks
--
-- Keep what a worker got of runs whose claims it had lost, as attempts of their tasks.
--
-- KEYS     the prefix
-- ARGV     now, worker; of each: id, token, when it ended, in words what it was
-- Returns  1

local worker = next_arg()

-- Change the last attempt of this worker that was lost; return false if there is none, and true if
-- it was changed by now.
local function end_late(key, at, what)
  local found = call("LRANGE", key, 0, -1)
  for n = #found - 4, 1, -5 do
    local ended_at, by, outcome = found[n + 1], found[n + 2], found[n + 3]
    if by == worker and outcome == "late" and ended_at == at then return true end
    if by == worker and outcome == "lost" then
      for offset, value in ipairs({ at, worker, "late", what }) do
        call("LSET", key, n + offset - 1, value)
      end
      return true
    end
  end
  return false
end

local function keep(id, token, at, what)
  local task = load_task(id)
  if not task or tonumber(number_in(task.token) or "0") < tonumber(token) then return end
  local key = P .. "attempts:" .. id
  if not end_late(key, at, what) then
    call("RPUSH", key, "", at, worker, "late", what)
    call("HINCRBY", task.key, "attempts", 1)
  end
end

while more_args() do try(keep, next_args(4)) end
return 1

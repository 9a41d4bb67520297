-- uses head
--
-- Return how far tasks have come.
--
-- KEYS     the prefix
-- ARGV     now; the number of outcomes after which a task goes on, and these; ids...
-- Returns  for each id the token of the run and the value that it reported; false if there is none
--          that counts

local goes_on = {}
for _ = 1, tonumber(next_arg()) do goes_on[next_arg()] = true end

-- Return the outcome of a task's last start that has ended, see `add_attempt` in tasks.lua.
local function last_outcome(id)
  local read, values = try(call, "LRANGE", P .. "attempts:" .. id, -5, -1)
  return read and values[4] or ""
end

local function progress_of(id)
  local phase, token, started, attempts, progress =
    unpack(call("HMGET", P .. "task:" .. id, "phase", "token", "started", "attempts", "progress"))
  if not progress then return false end
  local of_claim, attempt, value = progress:match("^(%d+) (%d+) (.*)$")
  if not value then return false end
  if started then return of_claim == token and { token, value } end
  local counts = tonumber(phase) < RUNNING and attempt == attempts and goes_on[last_outcome(id)]
  return counts and { of_claim, value } or false
end

local found = {}
while more_args() do
  local read, progress = try(progress_of, next_arg())
  found[#found + 1] = read and progress or false
end
return found

-- uses head
--
-- Find the keys of a store that hold what liteq does not keep there.
--
-- KEYS     the prefix
-- ARGV     now, names: ids, queues and workers whose keys may be among them
-- Returns  of each: the key, what it is, and what it should be, as `TYPE` has it; or "number"

local FIXED = {
  arrived = "hash", beat = "number", bulks = "list", counts = "hash", leases = "zset",
  scheduled = "zset", schedules = "zset", seq = "number", token = "number", waiting = "zset",
  worker_seq = "number", workers = "zset",
}
local BY_NAME = {
  answers = "hash", attempts = "list", barrier = "zset", blamed = "set", bulk = "hash",
  condemned = "set",
  failed = "zset", group = "hash", inner = "zset", lost = "list", members = "zset", open = "set",
  orders = "hash", output = "zset",
  ready = "zset", running = "zset", schedule = "hash", skipped = "set", task = "hash",
  waiters = "zset", worker = "hash",
}
local MOST = 1000 -- names of queues and of workers that are looked at

local found = {}

-- Note the key if it is not of the type `wanted`; return whether it is.
local function check(key, wanted)
  local kind = call("TYPE", key).ok
  if kind == "string" and wanted == "number" and number_in(call("GET", key)) then return true end
  if kind ~= wanted and kind ~= "none" then found[#found + 1] = { key, kind, wanted } end
  return kind == wanted
end

local usable = {}
for name, wanted in pairs(FIXED) do usable[name] = check(P .. name, wanted) end
for phase = SUCCEEDED, SKIPPED do check(P .. "ended:" .. phase, "zset") end

local names = {}
while more_args() do names[next_arg()] = true end
if usable.counts then
  for n, field in ipairs(call("HKEYS", P .. "counts")) do
    if n <= MOST then names[field:match(":(.*)") or ""] = true end
  end
end
if usable.workers then
  for _, worker in ipairs(call("ZRANGE", P .. "workers", -MOST, -1)) do names[worker] = true end
end
for name in pairs(names) do
  for family, wanted in pairs(BY_NAME) do check(P .. family .. ":" .. name, wanted) end
end
return found

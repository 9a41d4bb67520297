-- uses head, tasks, sending, walk
-- now; the number of tasks, and of each: id, phase, the number of its fields and values, these,
-- the name of its worker, the number of earlier attempts, and five values of each; the number
-- of groups, and of each: id, outer, position, forgiving, closed, blame, released.
-- Answers how many tasks were new.

local numbers = {}

-- The number of a worker that is no more, so that its name can be told.
local function former_worker(name)
  if name == "" then return "" end
  if not numbers[name] then
    local number = call("INCR", P .. "worker_seq")
    call("HSET", P .. "worker:" .. number, "name", name, "stopped", clock)
    call("ZADD", P .. "workers", clock, number)
    numbers[name] = number
  end
  return numbers[name]
end

local function tie(t)
  if t.waits then set_waits(t, t.waits, t.barrier) end
  if t.group then
    call("ZADD", P .. "members:" .. t.group, call("HGET", t.key, "position") or 0, t.id)
  end
  if t.phase == SKIPPED and t.woken_by then call("SADD", P .. "skipped:" .. t.woken_by, t.id) end
end

local function unpack_task()
  local id, phase, n = take(), tonumber(take()), tonumber(take())
  local first = position + 1
  skip(n)
  local last, worker, told = position, take(), tonumber(take())
  local key = P .. "task:" .. id
  if call("EXISTS", key) == 1 then
    skip(5 * told)
    return 0
  end
  local place = padded(call("INCR", P .. "seq"))
  call("HSET", key, "phase", phase, "seq", place, unpack(ARGV, first, last))
  if worker ~= "" then call("HSET", key, "worker", former_worker(worker)) end
  for _ = 1, told do
    local started, ended_at, by, outcome, error = take(), take(), take(), take(), take()
    call("RPUSH", P .. "attempts:" .. id, started, ended_at, former_worker(by), outcome, error)
  end
  local t = load(id)
  tie(t)
  t.tied = nil -- it has ended elsewhere, and what followed from that goes with it
  enter(t, phase)
  return 1
end

local function unpack_group()
  local id, outer, place, forgiving = take(), take(), take(), take()
  local closed, blame, released = take(), take(), take()
  local key = P .. "group:" .. id
  if call("EXISTS", key) == 1 then return end
  call("HSET", key, "outer", outer, "position", place, "forgiving", forgiving)
  if closed ~= "" then call("HSET", key, "closed", closed) end
  if released == "1" then call("HSET", key, "released", 1) end
  if blame ~= "" then
    call("HSET", key, "blame", blame)
    call("SADD", P .. "blamed:" .. blame, id)
  end
  if outer == "" then return end
  call("ZADD", P .. "inner:" .. outer, place, id)
  if closed == "" then call("SADD", P .. "open:" .. outer, "g" .. id) end
  if blame ~= "" and forgiving ~= "1" then
    call("ZADD", P .. "failed:" .. outer, 1e15 + tonumber(place), "g" .. id)
  end
end

local new = 0
for _ = 1, tonumber(take()) do new = new + unpack_task() end
for _ = 1, tonumber(take()) do unpack_group() end
return done(new)

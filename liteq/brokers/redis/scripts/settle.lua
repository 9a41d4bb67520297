-- uses head, tasks, sending, walk, leases, claiming
-- now; the number of settlements, and these; then perhaps a claim.
--
-- A settlement is: id, token, phase, whether it is sent again (its reply was lost), the number of
-- fields and values, and these; for a final phase until when it is kept; for another one the
-- message, queue, priority and eta of the next attempt, when and how this one ended, the error,
-- and, if other tasks go on in its place, a graph and what it waits for now.
-- Answers the numbers of those that are refused, and what was claimed.

local function read()
  local s = { id = take(), token = take(), phase = tonumber(take()), again = take() == "1" }
  s.size = tonumber(take())
  s.first = position + 1
  position = position + s.size
  return s
end

-- How the last run ended is no more; how this one did is written.
local function write(t, s)
  call("HDEL", t.key, "result", "serializer", "traceback", "reported", "lost")
  if s.size > 0 then call("HSET", t.key, unpack(ARGV, s.first, s.first + s.size - 1)) end
end

local function read_next()
  return {
    message = take(), queue = take(), priority = take(), eta = take(),
    at = take(), why = take(), error = take(), replaced = take() == "1",
  }
end

local function skip_graph()
  for _ = 1, tonumber(take()) do
    skip(3)
    skip(tonumber(take()))
  end
  skip(4 * tonumber(take()))
end

local function try_again(t, s, a)
  remember(t, a.at, a.why, a.error)
  leave(t)
  write(t, s)
  call("HDEL", t.key, "started", "eta", "priority")
  t.queue, t.priority, t.eta = a.queue, a.priority, a.eta ~= "" and a.eta or nil
  call("HSET", t.key, "message", a.message, "queue", a.queue, "priority", a.priority)
  if t.eta then call("HSET", t.key, "eta", t.eta) end
  if a.replaced then
    insert_graph()
    local waits, barrier, takes = take(), take(), take()
    -- What it took before is in the messages of those that go on in its place.
    call("HDEL", t.key, "takes", "on_failure")
    call("HSET", t.key, "tied", 1)
    t.tied = "1"
    if takes == "1" then call("HSET", t.key, "takes", 1) end
    if waits ~= "" then
      local group = t.barrier and t.waits
      set_waits(t, waits, barrier == "1")
      call("HDEL", t.key, "barrier")
      call("HSET", t.key, "waits", waits)
      if barrier == "1" then call("HSET", t.key, "barrier", 1) end
      t.barrier = barrier == "1" and "1" or false
      if group then release_group(group) end
    end
  end
  enter(t, s.phase)
end

-- Nearly all tasks end like this: nobody waits for them, and it is their first and only run. Their
-- places in the indexes are changed all at once, before anybody looks.

local left, over = {}, {}

local function collect(lists, name, ...)
  lists[name] = lists[name] or {}
  local list = lists[name]
  for n = 1, select("#", ...) do list[#list + 1] = (select(n, ...)) end
end

local function finish_plainly(s, keep)
  local key = P .. "task:" .. s.id
  local v = call("HMGET", key, "phase", "token", "tied", "seq", "queue", "worker", "serializer",
    "traceback", "reported", "lost")
  if tonumber(v[1]) ~= RUNNING or v[2] ~= s.token or v[3] then return false end
  if v[7] or v[8] or v[9] or v[10] then
    call("HDEL", key, "result", "serializer", "traceback", "reported", "lost")
  end
  if keep ~= "" then
    call("HSET", key, "phase", s.phase, "keep", keep, unpack(ARGV, s.first, s.first + s.size - 1))
  else
    call("HSET", key, "phase", s.phase, unpack(ARGV, s.first, s.first + s.size - 1))
  end
  local member = v[4] .. s.id
  collect(left, P .. "running:" .. v[6], member)
  collect(over, P .. "ended:" .. s.phase, keep ~= "" and keep or "+inf", member)
  tally(v[5], RUNNING, -1)
  tally(v[5], s.phase, 1)
  news.results = true
  return true
end

local function put_in_place()
  for key, members in pairs(left) do at_once("ZREM", key, members) end
  for key, scores in pairs(over) do at_once("ZADD", key, scores) end
end

local function settle()
  local s = read()
  local keep, next_one
  if s.phase >= SUCCEEDED then
    keep = take()
    if finish_plainly(s, keep) then return true end
  else
    next_one = read_next()
  end
  local t = load(s.id)
  local held = t and t.phase == RUNNING and t.token == s.token
  if not held then
    if next_one and next_one.replaced then
      skip_graph()
      skip(3)
    end
    return s.again and t and t.token == s.token -- it was written before
  end
  if next_one then
    try_again(t, s, next_one)
  else
    leave(t)
    write(t, s)
    finish(t, s.phase, keep ~= "" and keep or nil)
  end
  return true
end

local refused = {}
for n = 0, tonumber(take()) - 1 do
  if not settle() then refused[#refused + 1] = n end
end
put_in_place()
follow_up()
local claimed = {}
if position < #ARGV then claimed = claim_as_asked() end
return done({ refused, claimed })

-- Ready tasks to workers.

-- What tasks take from what they waited for.

local function input(id)
  local v = call("HMGET", P .. "task:" .. id, "phase", "serializer", "result", "traceback")
  return v[1] and { tonumber(v[1]), v[2], v[3], v[4] } or nil
end

-- The same; of one that was skipped, what that is due to.
local function caused(id)
  local found = input(id)
  if not found or found[1] ~= SKIPPED then return found end
  local blame = call("HGET", P .. "task:" .. id, "woken_by")
  local cause = blame and input(blame)
  return cause and { SKIPPED, cause[2], cause[3], cause[4] } or found
end

local function failure(id)
  local found = caused(id)
  if not found then return false end
  local v = call("HMGET", P .. "task:" .. id, "woken_by", "message")
  return { found[1], found[2], found[3], found[4], v[1], id, v[2] }
end

-- The ends of a group's members in their order; of groups in it, lists.
local function members(group)
  local found = {}
  local function add(key, make)
    local listed = call("ZRANGE", P .. key .. group, 0, -1, "WITHSCORES")
    for n = 1, #listed, 2 do
      found[#found + 1] = { tonumber(listed[n + 1]), make(listed[n]) or false }
    end
  end
  add("members:", caused)
  add("inner:", function(inner) return { "group", members(inner) } end)
  table.sort(found, function(a, b) return a[1] < b[1] end)
  for n, each in ipairs(found) do found[n] = each[2] end
  return found
end

local function inputs(waits, barrier, on_failure)
  if barrier then return { "group", members(waits) } end
  if on_failure then return failure(waits) end
  return input(waits) or false
end

-- claims

local function taken_by(key)
  local v = call("HMGET", key, "waits", "takes", "on_failure", "barrier")
  return v[1] and (v[2] or v[3]) and inputs(v[1], v[4], v[3]) or false
end

-- Answers id, token, message, and what else is to be said of it; nil for one that is gone. And
-- its queue.
local function delivery(id, token)
  local key = P .. "task:" .. id
  local v = call("HMGET", key, "message", "queue", "lost", "reported", "attempts", "tied",
    "woken_by")
  if not v[1] then return nil end
  local more = false
  if v[3] or v[4] or v[5] or v[6] or v[7] then
    more = { v[3], v[4], v[5], v[6], v[7], v[7] and taken_by(key) }
  end
  return { id, string.format("%.0f", token), v[1], more }, v[2]
end

-- The first `limit` of the queues, as their members; taken out of their indexes.
local function pick(queues, limit)
  local found = {}
  if #queues == 1 then
    local popped = call("ZPOPMIN", P .. "ready:" .. queues[1], limit)
    for n = 1, #popped, 2 do found[#found + 1] = popped[n] end
    return found
  end
  local heads = {}
  for _, queue in ipairs(queues) do
    local listed = call("ZRANGE", P .. "ready:" .. queue, 0, limit - 1, "WITHSCORES")
    for n = 1, #listed, 2 do
      heads[#heads + 1] = { listed[n], tonumber(listed[n + 1]), queue }
    end
  end
  table.sort(heads, function(a, b)
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a[1] < b[1]
  end)
  for n = 1, math.min(limit, #heads) do
    call("ZREM", P .. "ready:" .. heads[n][3], heads[n][1])
    found[n] = heads[n][1]
  end
  return found
end

-- What the worker was given last, if that reply never reached it: `seen` is the last token that
-- did. A claim that is sent again therefore hands out the same tasks.
local function handed_again(worker, seen)
  local handed = call("HGET", P .. "worker:" .. worker, "handed")
  if not handed then return {} end
  local last, found = cmsgpack.unpack(handed), {}
  if last.to <= seen then return found end
  for n, member in ipairs(last.members) do
    local id, token = member:sub(15), last.to - #last.members + n
    local v = call("HMGET", P .. "task:" .. id, "phase", "token")
    if tonumber(v[1]) == RUNNING and tonumber(v[2]) == token then found[#found + 1] = (delivery(id, token)) end
  end
  return found
end

local function claim(worker, seen, limit, queues)
  if call("HGET", P .. "worker:" .. worker, "struck") then come_back(worker) end
  local found = handed_again(worker, seen)
  if #found > 0 or limit < 1 then return found end
  local picked = pick(queues, limit)
  if #picked == 0 then return found end
  local token = tokens(#picked)
  local running = {}
  for n, member in ipairs(picked) do
    local id = member:sub(15)
    local given, queue = delivery(id, token + n)
    if given then
      call("HSET", P .. "task:" .. id, "phase", RUNNING, "token", given[2], "worker", worker,
        "started", clock)
      running[#running + 1] = 0
      running[#running + 1] = member
      tally(queue, READY, -1)
      tally(queue, RUNNING, 1)
      found[#found + 1] = given
    end
  end
  at_once("ZADD", P .. "running:" .. worker, running)
  call("HSET", P .. "worker:" .. worker, "handed",
    cmsgpack.pack({ to = token + #picked, members = picked }))
  return found
end

-- Read a wish from the arguments: worker, seen, limit, and the names of the queues.
local function claim_as_asked()
  local worker, seen, limit = take(), tonumber(take()), tonumber(take())
  return claim(worker, seen, limit, { unpack(ARGV, position + 1) })
end

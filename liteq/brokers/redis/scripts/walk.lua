-- What follows from the ends of tasks: `liteq/brokers/walk.py` once more, where the data is.
--
-- Whether a group is complete is asked of a set of its open members: a member that ends twice
-- is taken out of it once.

local function set_waits(t, waits, barrier)
  if t.waits then
    call("ZREM", P .. (t.barrier and "barrier:" or "waiters:") .. t.waits, t.id)
  end
  t.waits, t.barrier = waits, barrier
  if waits then
    call("ZADD", P .. (barrier and "barrier:" or "waiters:") .. waits, t.seq, t.id)
  end
end

local function waiters(id, barrier)
  local found = {}
  for _, name in ipairs(call("ZRANGE", P .. (barrier and "barrier:" or "waiters:") .. id, 0, -1)) do
    local t = load(name)
    if t and t.phase == WAITING then found[#found + 1] = t end
  end
  return found
end

local function anyone_waits(id, barrier)
  for _, name in ipairs(call("ZRANGE", P .. (barrier and "barrier:" or "waiters:") .. id, 0, -1)) do
    local phase = call("HGET", P .. "task:" .. name, "phase")
    if phase and tonumber(phase) < SUCCEEDED then return true end
  end
  return false
end

-- what is kept, and until when

local function let_go(group)
  if call("EXISTS", P .. "group:" .. group) == 1 then
    call("HSET", P .. "group:" .. group, "released", 1)
  end
  for _, inner in ipairs(call("ZRANGE", P .. "inner:" .. group, 0, -1)) do let_go(inner) end
end

-- Let the members of a group be swept, unless somebody still waits for it.
local function release_group(group)
  if not anyone_waits(group, true) then let_go(group) end
end

-- Whether what a task came to is still to be handed on.
local function needed(t)
  if not t.tied then return false end
  if t.group and call("EXISTS", P .. "group:" .. t.group) == 1
    and not call("HGET", P .. "group:" .. t.group, "released") then
    return true
  end
  return anyone_waits(t.id, false)
end

local function tidy(group)
  local key = P .. "group:" .. group
  if not call("HGET", key, "released") then return end
  if call("EXISTS", P .. "members:" .. group, P .. "inner:" .. group) > 0 then return end
  local outer = call("HGET", key, "outer")
  call("DEL", key, P .. "open:" .. group, P .. "failed:" .. group)
  if outer ~= "" then
    call("ZREM", P .. "inner:" .. outer, group)
    tidy(outer)
  end
end

local function delete(t)
  leave(t)
  call("DEL", t.key, P .. "attempts:" .. t.id)
  if t.tied or t.waits then
    call("DEL", P .. "skipped:" .. t.id, P .. "blamed:" .. t.id)
    set_waits(t, nil)
    if t.woken_by then call("SREM", P .. "skipped:" .. t.woken_by, t.id) end
  end
  if t.group then
    call("ZREM", P .. "members:" .. t.group, t.id)
    call("SREM", P .. "open:" .. t.group, "t" .. t.id)
    call("ZREM", P .. "failed:" .. t.group, "t" .. t.id)
    tidy(t.group)
  end
end

-- the walk

local ends, told = {}, 0
local groups, last_in = {}, {} -- groups of which a member has ended, and the member

local function note_group(group, last)
  if not last_in[group] then groups[#groups + 1] = group end
  last_in[group] = last
end

local function begin(t)
  -- With one that wants to be ignored a chain ends, without a failure.
  local ignored = t.phase == SUCCEEDED and call("HEXISTS", t.key, "reported") == 1
  local phase = ignored and CANCELLED or t.phase
  ends[#ends + 1] = {
    id = t.id, failed = phase ~= SUCCEEDED, phase = phase, blame = t.id, keep = t.keep,
    own = not ignored,
  }
  if t.group then note_group(t.group, { id = t.id, keep = t.keep }) end
  if t.barrier and t.waits then release_group(t.waits) end
end

local function wake(t, e)
  leave(t)
  call("HSET", t.key, "woken_by", e.blame)
  local delay = call("HGET", t.key, "delay")
  if delay then
    t.eta = number(now + tonumber(delay))
    call("HSET", t.key, "eta", t.eta)
  end
  enter(t, ready_phase(t.eta))
end

local function skip_task(t, e)
  -- What waited for a revoked task is revoked with it; a chord's body has failed.
  local phase = e.phase == CANCELLED and not e.barrier and CANCELLED or SKIPPED
  leave(t)
  call("HSET", t.key, "woken_by", e.blame, "finished", clock)
  if phase == SKIPPED then call("SADD", P .. "skipped:" .. e.blame, t.id) end
  local tied = t.tied
  t.tied = nil -- whoever waits for it is told below
  finish(t, phase, e.keep)
  t.tied = tied
  ends[#ends + 1] = {
    id = t.id, failed = e.failed, phase = phase, blame = e.blame, keep = e.keep,
    chord = e.barrier or e.chord,
  }
  if t.group then note_group(t.group, { id = e.blame, keep = e.keep }) end
end

-- It waited for a failure that did not come, and others may wait for it.
local function drop(t)
  for _, other in ipairs(waiters(t.id, false)) do drop(other) end
  delete(t)
end

local function tell(e)
  for _, t in ipairs(waiters(e.id, e.barrier)) do
    local wanted
    if t.on_failure > 0 then
      wanted = e.failed and (e.own or (e.chord and t.on_failure > 1))
    else
      wanted = not e.failed
    end
    if wanted then
      wake(t, e)
    elseif t.on_failure > 0 then
      drop(t)
    else
      skip_task(t, e)
    end
  end
  -- What the members of an inner group are kept for is decided by the end of the outer one.
  if e.barrier and e.failed and not e.inner then release_group(e.id) end
end

-- The task by which a group failed, if any did.
local function blame_of(group)
  local first = call("ZRANGE", P .. "failed:" .. group, 0, 0)[1]
  if not first then return nil end
  local name = first:sub(2)
  if first:sub(1, 1) == "g" then return call("HGET", P .. "group:" .. name, "blame") end
  local v = call("HMGET", P .. "task:" .. name, "phase", "woken_by")
  return tonumber(v[1]) == SKIPPED and v[2] or name
end

-- See whether the last member of a group has ended.
local function close(group, last)
  if call("SCARD", P .. "open:" .. group) > 0 then return end
  local key = P .. "group:" .. group
  local v = call("HMGET", key, "outer", "forgiving", "closed", "position")
  if not v[1] or v[3] then return end
  local blame = blame_of(group)
  call("HSET", key, "closed", clock)
  if blame then
    call("HSET", key, "blame", blame)
    call("SADD", P .. "blamed:" .. blame, group)
  end
  local failed = blame and v[2] ~= "1"
  ends[#ends + 1] = {
    id = group, barrier = true, failed = failed, phase = failed and SKIPPED or SUCCEEDED,
    blame = failed and blame or last.id, keep = last.keep, own = true,
    inner = v[1] ~= "",
  }
  if v[1] == "" then return end
  call("SREM", P .. "open:" .. v[1], "g" .. group)
  -- Behind all tasks, whose scores are their places in the order of sending.
  if failed then call("ZADD", P .. "failed:" .. v[1], 1e15 + tonumber(v[4]), "g" .. group) end
  note_group(v[1], last)
end

-- Wake, skip or drop what waited for the tasks that have just ended.
local function follow_up()
  for _, t in ipairs(ended) do begin(t) end
  ended = {}
  while told < #ends or #groups > 0 do
    if told < #ends then
      told = told + 1
      tell(ends[told])
    else
      local group = table.remove(groups)
      local last = last_in[group]
      last_in[group] = nil
      close(group, last)
    end
  end
end

-- What was skipped for a revived task waits again.
local function blame_no_more(id)
  for _, group in ipairs(call("SMEMBERS", P .. "blamed:" .. id)) do
    local key = P .. "group:" .. group
    local outer = call("HGET", key, "outer")
    if outer then
      call("HDEL", key, "closed", "blame", "released")
      if outer ~= "" then
        call("SADD", P .. "open:" .. outer, "g" .. group)
        call("ZREM", P .. "failed:" .. outer, "g" .. group)
      end
    end
  end
  for _, name in ipairs(call("SMEMBERS", P .. "skipped:" .. id)) do
    local t = load(name)
    if t and t.phase == SKIPPED then
      leave(t)
      call("HDEL", t.key, "woken_by", "finished", "keep")
      t.keep = nil
      enter(t, WAITING)
    end
  end
  call("DEL", P .. "blamed:" .. id, P .. "skipped:" .. id)
end

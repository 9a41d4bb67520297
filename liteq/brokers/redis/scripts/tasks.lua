-- How a task goes from phase to phase.

local ended = {} -- those for whose end others wait

local function number(value)
  return string.format("%.17g", value)
end

local function load(id)
  local key = P .. "task:" .. id
  local v = call("HMGET", key, "phase", "seq", "queue", "priority", "eta", "worker", "token",
    "group", "revoked", "tied", "keep", "waits", "barrier", "on_failure", "woken_by", "attempts")
  if not v[1] then return nil end
  return {
    id = id, key = key, phase = tonumber(v[1]), seq = v[2], queue = v[3], priority = v[4] or "0",
    eta = v[5], worker = v[6], token = v[7], group = v[8], revoked = v[9], tied = v[10],
    keep = v[11], waits = v[12], barrier = v[13], on_failure = tonumber(v[14] or "0"),
    woken_by = v[15], attempts = tonumber(v[16] or "0"),
  }
end

local function index(t)
  if t.phase >= SUCCEEDED then return P .. "ended:" .. t.phase, t.keep or "+inf" end
  if t.phase == READY then return P .. "ready:" .. t.queue, -tonumber(t.priority) end
  if t.phase == RUNNING then return P .. "running:" .. t.worker, 0 end
  if t.phase == SCHEDULED then return P .. "scheduled", t.eta end
  return P .. "waiting", 0
end

local function leave(t)
  call("ZREM", index(t), t.seq .. t.id)
  tally(t.queue, t.phase, -1)
end

local function count_in_group(t)
  local open, failed = P .. "open:" .. t.group, P .. "failed:" .. t.group
  if t.phase >= SUCCEEDED then
    call("SREM", open, "t" .. t.id)
  else
    call("SADD", open, "t" .. t.id)
  end
  if t.phase > SUCCEEDED then
    call("ZADD", failed, t.seq, "t" .. t.id)
  else
    call("ZREM", failed, "t" .. t.id)
  end
end

local function enter(t, phase)
  if t.revoked and phase < RUNNING then
    -- Nobody runs it, and nobody will: this is its end.
    phase = CANCELLED
    t.keep = t.revoked ~= "" and number(now + tonumber(t.revoked)) or nil
    call("HSET", t.key, "finished", clock)
    if t.keep then call("HSET", t.key, "keep", t.keep) end
  end
  t.phase = phase
  local key, score = index(t)
  call("ZADD", key, score, t.seq .. t.id)
  call("HSET", t.key, "phase", phase)
  tally(t.queue, phase, 1)
  if t.group then count_in_group(t) end
  if phase >= SUCCEEDED then
    news.results = true
    if t.tied then ended[#ended + 1] = t end
  elseif phase ~= RUNNING then
    news.work = true
  end
end

local function finish(t, phase, keep)
  -- `keep`: a text, or nil for ever
  t.keep = keep
  if keep then call("HSET", t.key, "keep", keep) end
  enter(t, phase)
end

local function ready_phase(eta)
  return eta and tonumber(eta) > now and SCHEDULED or READY
end

-- attempts

local function remember(t, ended_at, outcome, error)
  local started = call("HGET", t.key, "started")
  call("RPUSH", P .. "attempts:" .. t.id, started or "", ended_at, t.worker or "", outcome, error)
  call("HINCRBY", t.key, "attempts", 1)
end

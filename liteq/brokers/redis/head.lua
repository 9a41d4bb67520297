-- The head of every script: where things are kept, and how a task goes from phase to phase.
--
-- KEYS[1] is `{liteq:<application>}`. All keys begin with it, so that in a cluster they share a
-- slot, and every script is one transaction. Scripts are called by verbs; `ARGV[1]` is the time
-- for users to see, or empty: then it is the server's. Leases are always by the server's time.
--
--   task:<id>         hash    a task; its fields are below
--   attempts:<id>     list    how earlier starts ended: started, ended, worker, outcome, error, ...
--   seq, token        number  the last place that was given to a task, the last claim's token
--   counts            hash    how many tasks there are, by `<phase>:<queue>`
--
-- Every task is in the one index of its phase, as the member `<seq><id>`, so that equal scores
-- are in the order of sending:
--
--   waiting           zset    0, for other tasks
--   scheduled         zset    1, by eta
--   ready:<queue>     zset    2, by -priority
--   running:<worker>  zset    3
--   ended:<phase>     zset    4 to 9, by when it may be forgotten
--
-- Of workflows, see walk.lua:
--
--   waiters:<id>      zset    tasks that wait for a task, by seq
--   barrier:<group>   zset    tasks that wait for a group
--   group:<group>     hash    outer, position, forgiving, closed, blame, released
--   members:<group>   zset    its tasks, by position
--   inner:<group>     zset    the groups in it, by position
--   open:<group>      set     its members that have not ended: `t<id>` and `g<group>`
--   failed:<group>    zset    its members that failed, in the order of sending
--   skipped:<id>      set     tasks that were skipped because of this one
--   blamed:<id>       set     groups that failed because of this one
--
-- Of workers:
--
--   worker:<n>        hash    name, owner, boot, pid, host, started, beat, stopped, struck, info,
--                             handed (what its last claim was given)
--   workers           zset    all of them, by when they stopped (inf: they have not)
--   leases            zset    those that are there, by when their lease ends (server's time)
--   worker_seq        number  the last worker's number
--   beat              number  when any worker was last heard of (server's time)
--   condemned:<n>     set     tasks that this worker is to end
--   lost:<n>          list    claims that were taken from it: id, token, ...
--
-- The fields of a task; one that is absent has its default. What users send is never read:
--
--   message           what it was sent with, see rows.py       queue, priority, eta, once
--   seq, phase, token, worker, lost, attempts                   created, started, finished, keep
--   result, serializer, traceback, reported                     revoked (seconds to keep it), terminate
--   tied, waits, barrier, on_failure, takes, group, position, woken_by

local P = KEYS[1] .. ":"
local call = redis.call
local time = call("TIME")
local server = tonumber(time[1]) + tonumber(time[2]) / 1e6
local clock = ARGV[1] ~= "" and ARGV[1] or string.format("%.6f", server)
local now = tonumber(clock)

local LEASE = 30 -- seconds; a worker renews it every 5

local position = 1
local function take()
  position = position + 1
  return ARGV[position]
end

local function number(value)
  return string.format("%.17g", value)
end

-- news, told once when a script ends

local tallies, rung, ended = {}, {}, {}

local function tally(queue, phase, n)
  local field = phase .. ":" .. queue
  tallies[field] = (tallies[field] or 0) + n
end

local function done(reply)
  for field, n in pairs(tallies) do
    if n ~= 0 and call("HINCRBY", P .. "counts", field, n) == 0 then
      call("HDEL", P .. "counts", field)
    end
  end
  for bell in pairs(rung) do
    call("PUBLISH", P .. "bell:" .. bell, "")
  end
  return reply
end

-- tasks

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
  if t.phase > 3 then return P .. "ended:" .. t.phase, t.keep or "+inf" end
  if t.phase == 2 then return P .. "ready:" .. t.queue, -tonumber(t.priority) end
  if t.phase == 3 then return P .. "running:" .. t.worker, 0 end
  if t.phase == 1 then return P .. "scheduled", t.eta end
  return P .. "waiting", 0
end

local function leave(t)
  call("ZREM", index(t), t.seq .. t.id)
  tally(t.queue, t.phase, -1)
end

local function count_in_group(t)
  local open, failed = P .. "open:" .. t.group, P .. "failed:" .. t.group
  if t.phase > 3 then
    call("SREM", open, "t" .. t.id)
  else
    call("SADD", open, "t" .. t.id)
  end
  if t.phase > 4 then
    call("ZADD", failed, t.seq, "t" .. t.id)
  else
    call("ZREM", failed, "t" .. t.id)
  end
end

local function enter(t, phase)
  if t.revoked and phase < 3 then
    -- Nobody runs it, and nobody will: this is its end.
    phase = 7
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
  if phase > 3 then
    rung.results = true
    if t.tied then ended[#ended + 1] = t end
  elseif phase ~= 3 then
    rung.work = true
  end
end

local function finish(t, phase, keep)
  -- `keep`: a text, or nil for ever
  t.keep = keep
  if keep then call("HSET", t.key, "keep", keep) end
  enter(t, phase)
end

local function ready_phase(eta)
  return eta and tonumber(eta) > now and 1 or 2
end

-- attempts

local function remember(t, ended_at, outcome, error)
  local started = call("HGET", t.key, "started")
  call("RPUSH", P .. "attempts:" .. t.id, started or "", ended_at, t.worker or "", outcome, error)
  call("HINCRBY", t.key, "attempts", 1)
end

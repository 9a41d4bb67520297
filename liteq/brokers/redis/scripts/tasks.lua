-- Tasks, and how they go from phase to phase.

local ended -- tasks that ended in this script and are tied, see `propagate_ends`

local function begin_tasks()
  ended = {}
end

-- Return the key of what waits for a task, or with `barrier` for a group.
local function dependents_key(id, barrier)
  return P .. (barrier and "barrier:" or "waiters:") .. id
end

local function number_text(value)
  return string.format("%.17g", value)
end

-- Return a task as a table, or nil for one that does not exist, or cannot be read;
-- `phase`, `on_failure` and `attempts` are numbers.
local function load_task(id)
  local key = P .. "task:" .. id
  local read, fields = try(call, "HMGET", key, "phase", "seq", "queue", "priority", "eta",
    "worker", "token", "group", "revoked", "tied", "keep", "waits", "barrier", "on_failure",
    "woken_by", "attempts", "unique")
  if not read then return nil end
  local phase, seq, queue, priority, eta, worker, token, group, revoked, tied, keep, waits, barrier,
    on_failure, woken_by, attempts, unique = unpack(fields)
  if not number_in(phase) then return nil end
  if revoked ~= "" then revoked = number_in(revoked) end
  return {
    id = id, key = key, phase = tonumber(phase), seq = seq or "", queue = queue or "",
    priority = number_in(priority) or "0", eta = number_in(eta), worker = worker or "",
    token = token, group = group, revoked = revoked, tied = tied, keep = number_in(keep),
    waits = waits, barrier = barrier, on_failure = tonumber(number_in(on_failure) or "0"),
    woken_by = woken_by, attempts = tonumber(number_in(attempts) or "0"), unique = unique,
  }
end

-- Return the key of the index that a task is in, and its score there.
local function index_of(task)
  if task.phase >= SUCCEEDED then return P .. "ended:" .. task.phase, task.keep or "+inf" end
  if task.phase == READY then return P .. "ready:" .. task.queue, -tonumber(task.priority) end
  if task.phase == RUNNING then return P .. "running:" .. task.worker, 0 end
  if task.phase == SCHEDULED then return P .. "scheduled", task.eta or 0 end
  return P .. "waiting", 0
end

-- Take a task out of the index of its phase. Call it before changing what the index depends on.
local function leave_phase(task)
  call("ZREM", index_of(task), task.seq .. task.id)
  change_count(task.queue, task.phase, -1)
end

local function update_group(task)
  local open, failed = P .. "open:" .. task.group, P .. "failed:" .. task.group
  if task.phase >= SUCCEEDED then
    call("SREM", open, "t" .. task.id)
  else
    call("SADD", open, "t" .. task.id)
  end
  if task.phase > SUCCEEDED then
    call("ZADD", failed, task.seq, "t" .. task.id)
  else
    call("ZREM", failed, "t" .. task.id)
  end
end

local KEEP_DEAD = 30 * 86400 -- seconds, as `Policy` has it
local finish

-- Put a task into `phase`; a revoked one, which is not to run, ends as cancelled instead.
local function enter_phase(task, phase)
  if task.revoked and phase < RUNNING then
    phase = CANCELLED
    task.keep = task.revoked ~= "" and number_text(now + tonumber(task.revoked)) or nil
    call("HSET", task.key, "finished", timestamp)
    if task.keep then call("HSET", task.key, "keep", task.keep) end
  end
  task.phase = phase
  local key, score = index_of(task)
  local added = redis.pcall("ZADD", key, score, task.seq .. task.id)
  if type(added) == "table" then
    if phase >= RUNNING or not added.err:match("WRONGTYPE") then error(added) end
    -- Another program has written over the index. The task can be revived when that is mended.
    call("HSET", task.key, "finished", timestamp, "traceback",
      "it was not run: the key " .. key .. " is not the sorted set that liteq keeps there")
    return finish(task, DEAD, number_text(now + KEEP_DEAD))
  end
  call("HSET", task.key, "phase", phase)
  change_count(task.queue, phase, 1)
  if task.group then update_group(task) end
  if phase >= SUCCEEDED then
    to_notify.results = true
    if task.tied then ended[#ended + 1] = task end
  elseif phase ~= RUNNING then
    to_notify.work = true
  end
end

-- Put a task into a final phase. `keep`: when it may be deleted, as a text; nil: never.
function finish(task, phase, keep)
  task.keep = keep
  if keep then call("HSET", task.key, "keep", keep) end
  enter_phase(task, phase)
end

-- Give a claimed task back: it is ready again, and was not started.
local function unclaim(task)
  leave_phase(task)
  call("HDEL", task.key, "started")
  enter_phase(task, READY)
end

local function phase_for_eta(eta)
  return eta and tonumber(eta) > now and SCHEDULED or READY
end

-- Append to the task's history how its last start ended: started, ended, worker, outcome, error.
local function add_attempt(task, ended_at, outcome, error)
  local started = call("HGET", task.key, "started")
  call("RPUSH", P .. "attempts:" .. task.id, started or "", ended_at, task.worker or "", outcome,
    error)
  call("HINCRBY", task.key, "attempts", 1)
end

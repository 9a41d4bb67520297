-- Unique keys: liteq/brokers/uniquekeys.py once more, in Lua.
--
-- Whether a key is free is asked of the tasks that have it, so that none can be left behind. The
-- contract holds both to the same decisions.

local asking -- tasks that this script has stored, and that can run: they are to ask for their keys
local by_caller -- what asks was sent by a caller: it may hand over its arguments
local keeps_ids -- who sends tasks wants each under its own id
local answered -- by turns: the id of a task that is not run, and of the one that has its key

local function begin_unique()
  asking, by_caller, keeps_ids, answered = {}, false, true, {}
end

local MOST_AWAITED = 1000 -- tasks that are looked at to find out whether one waits for another

-- Return what a task says of its key; `fields`: of its hash, or as it is sent.
local function key_rule(fields)
  local until_, then_ = fields.unique_until or "finished", fields.unique_then or "skip"
  local seconds = number_in(until_)
  if seconds then until_ = then_ == "throttle" and "started" or "" end
  return {
    key = fields.unique, kept_until = until_, seconds = tonumber(seconds or nil), policy = then_,
    latest = tonumber(number_in(fields.unique_latest) or nil),
  }
end

-- Return a task that has, or had, a key; nil for one that is gone.
local function read_holder(id)
  local key = P .. "task:" .. id
  local read, fields = try(call, "HMGET", key, "phase", "attempts", "unique", "unique_until",
    "unique_then", "unique_keep", "created", "eta", "expires", "given_id")
  if not read or not number_in(fields[1]) then return nil end
  local phase, attempts, unique, until_, then_, keep, created, eta, expires, given =
    unpack(fields)
  phase = tonumber(phase)
  local rule = key_rule({ unique = unique, unique_until = until_, unique_then = then_ })
  local late = number_in(expires) and tonumber(expires) <= now
  keep = number_in(keep)
  local holder = {
    id = id, key = key, phase = phase, kept_until = rule.kept_until, given = given,
    started = phase >= RUNNING or tonumber(number_in(attempts) or "0") > 0,
    ended = phase >= SUCCEEDED or (phase < RUNNING and late),
    keep = keep and tonumber(keep) or nil, eta = number_in(eta),
    created = tonumber(number_in(created) or "0"),
  }
  holder.holds = (holder.keep and holder.keep > now) or (holder.kept_until ~= ""
    and not holder.ended and (holder.kept_until == "finished" or not holder.started))
  return holder
end

-- Return the tasks that have a key, the newest first, but for the one that asks. The key forgets
-- those that have had it.
local function holders_of(rule, id)
  local key, found = P .. "unique:" .. rule.key, {}
  for _, other in ipairs(call("ZREVRANGE", key, 0, -1)) do
    local holder = other ~= id and read_holder(other)
    if holder and holder.holds then
      found[#found + 1] = holder
    elseif other ~= id and (not holder or holder.phase >= SUCCEEDED) then
      call("ZREM", key, other)
    end
  end
  return found
end

-- Return when a task that waits is to run, by a later call that is to run at `eta`.
local function due_of(rule, waiting, eta)
  if rule.policy == "throttle" then return waiting.eta end
  if rule.latest and eta and tonumber(eta) > waiting.created + rule.latest then
    return number_text(waiting.created + rule.latest)
  end
  return eta
end

-- Return what becomes of a task with a key that is to run at `eta`: store, answer, give or refuse;
-- the task that has the key, or behind which this one has to wait; and when it is to run.
local function decide(rule, id, eta)
  local held = holders_of(rule, id)
  if #held == 0 then return "store", nil, eta end
  local waiting, running
  for _, holder in ipairs(held) do
    if not holder.ended and not holder.started then
      waiting = waiting or holder
    elseif not holder.ended and holder.kept_until == "finished" then
      running = running or holder
    end
  end
  if rule.policy == "raise" then return "refuse", held[1] end
  if rule.policy == "skip" then return "answer", held[1] end
  if waiting then
    return by_caller and "give" or "answer", waiting, due_of(rule, waiting, eta)
  end
  if rule.policy == "throttle" then
    local window = now
    for _, holder in ipairs(held) do window = math.max(window, holder.keep or now) end
    if eta then window = math.max(window, tonumber(eta)) end
    if window > now then eta = number_text(window) end
    return "store", running, eta
  end
  if rule.policy == "coalesce" and running then return "store", running, eta end
  return "answer", held[1]
end

-- Enter a task as the newest one that has its key.
local function add_to_key(task)
  local key = P .. "unique:" .. task.unique
  local last = call("ZREVRANGE", key, 0, 0, "WITHSCORES")[2]
  call("ZADD", key, tonumber(last or "0") + 1, task.id)
end

-- Note that a task has its key, or waits for the one that has it, and that it is to run at `eta`.
local function keep_key(task, rule, holder, eta)
  add_to_key(task)
  call("HDEL", task.key, "unique_keep", "behind", "follows")
  if rule.seconds then
    local from = now
    if rule.policy == "throttle" and eta then from = math.max(now, tonumber(eta)) end
    call("HSET", task.key, "unique_keep", number_text(from + rule.seconds))
  end
  task.eta = eta
  if eta then call("HSET", task.key, "eta", eta) else call("HDEL", task.key, "eta") end
  if holder then
    call("HSET", task.key, "behind", holder.id)
    call("ZADD", P .. "behind:" .. holder.id, task.seq, task.id)
  end
end

-- Give the arguments of a call to the task that waits; `place`: of the call, group and position.
local function give(holder, call_id, message, expires, place, eta)
  if holder.given == call_id then return end
  local task = load_task(holder.id)
  if not task then return end
  local moves = task.phase == READY or task.phase == SCHEDULED
  if moves then leave_phase(task) end
  call("HDEL", task.key, "eta", "expires", "given_group", "given_position")
  call("HSET", task.key, "given", message, "given_id", call_id)
  if eta then call("HSET", task.key, "eta", eta) end
  if expires then call("HSET", task.key, "expires", expires) end
  if place[1] then
    call("HSET", task.key, "given_group", place[1], "given_position", place[2] or 0)
  end
  task.eta = eta
  if moves then enter_phase(task, phase_for_eta(eta)) end
end

-- Return whether a task that has not ended is to end as this one.
local function is_followed(id)
  for _, other in ipairs(call("ZRANGE", P .. "behind:" .. id, 0, -1)) do
    local phase = number_in(call("HGET", P .. "task:" .. other, "phase"))
    if phase and tonumber(phase) < SUCCEEDED then return true end
  end
  return false
end

-- Let the tasks run that had to wait for the end of one.
local function release_held_back(id)
  for _, other in ipairs(call("ZRANGE", P .. "behind:" .. id, 0, -1)) do
    local task = load_task(other)
    if task and task.phase == WAITING then
      leave_phase(task)
      if call("HEXISTS", task.key, "follows") == 1 then
        call("HSET", task.key, "woken_by", id)
        task.eta = nil
      else
        call("HDEL", task.key, "behind")
        call("ZREM", P .. "behind:" .. id, task.id)
      end
      enter_phase(task, phase_for_eta(task.eta))
    end
  end
end

-- Return the unfinished tasks for which a task waits.
local function awaited_by(id)
  local phase, waits, barrier, behind =
    unpack(call("HMGET", P .. "task:" .. id, "phase", "waits", "barrier", "behind"))
  if phase ~= tostring(WAITING) then return {} end
  local found = {}
  if behind then found[1] = behind end
  if waits and not barrier then found[#found + 1] = waits end
  local groups = waits and barrier and { waits } or {}
  while #groups > 0 do
    local group = table.remove(groups)
    for _, inner in ipairs(call("ZRANGE", P .. "inner:" .. group, 0, -1)) do
      groups[#groups + 1] = inner
    end
    for _, member in ipairs(call("SMEMBERS", P .. "open:" .. group)) do
      if member:sub(1, 1) == "t" then found[#found + 1] = member:sub(2) end
    end
  end
  return found
end

-- Return whether one task waits for another, through however many tasks; also if these are too
-- many to look at.
local function waits_for(id, other)
  local found, count, pending = { [id] = true }, 1, { id }
  while #pending > 0 do
    if found[other] or count > MOST_AWAITED then return true end
    for _, each in ipairs(awaited_by(table.remove(pending))) do
      if not found[each] then
        found[each], count = true, count + 1
        pending[#pending + 1] = each
      end
    end
  end
  return found[other] or false
end

-- Let a task that is stored, and has just become able to run, ask for its key. If it does not get
-- it, it waits for the end of the task that has it, to end as that one.
local function ask(task)
  if task.phase ~= READY and task.phase ~= SCHEDULED then return end
  local until_, then_, latest, message, expires, group, position = unpack(call("HMGET", task.key,
    "unique_until", "unique_then", "unique_latest", "message", "expires", "group", "position"))
  local rule = key_rule({
    unique = task.unique, unique_until = until_, unique_then = then_, unique_latest = latest,
  })
  local action, holder, eta = decide(rule, task.id, task.eta)
  if holder and waits_for(holder.id, task.id) then
    action, holder, eta = "store", nil, task.eta
  end
  if action == "store" then
    if holder or eta ~= task.eta then
      leave_phase(task)
      keep_key(task, rule, holder, eta)
      enter_phase(task, holder and WAITING or phase_for_eta(eta))
    else
      keep_key(task, rule, holder, eta)
    end
    return
  end
  if action == "give" then
    give(holder, task.id, message, expires, { group, position }, eta)
  end
  answered[#answered + 1] = task.id
  answered[#answered + 1] = holder.id
  call("HSET", task.key, "behind", holder.id, "follows", 1)
  call("ZREM", P .. "unique:" .. rule.key, task.id)
  call("ZADD", P .. "behind:" .. holder.id, task.seq, task.id)
  leave_phase(task)
  enter_phase(task, WAITING)
  if holder.phase >= SUCCEEDED then release_held_back(holder.id) end
end

-- Let a task that was to end as another one be one of its own again.
local function stop_following(task)
  local behind = call("HGET", task.key, "behind")
  if not behind then return end
  call("ZREM", P .. "behind:" .. behind, task.id)
  call("HDEL", task.key, "behind", "follows")
end

-- Let the tasks ask that this script has stored. What waits for them has to be known by now.
local function ask_all()
  for _, task in ipairs(asking) do ask(task) end
  asking = {}
end

-- Return whether a single task that is to be stored need not be, as another task has its key.
-- `task`: with the fields that are sent.
local function is_answered(task, message)
  local action, holder, eta = decide(key_rule(task), task.id, task.eta)
  if action == "store" then return false end
  if action == "give" then give(holder, task.id, message, task.expires, {}, eta) end
  answered[#answered + 1] = task.id
  answered[#answered + 1] = holder.id
  return true
end

-- Let a task of another store have its key here, or ask for it, see `ask_all`.
local function bring_key(task)
  call("HSET", task.key, "tied", 1)
  if task.attempts == 0 and (task.phase == READY or task.phase == SCHEDULED) then
    asking[#asking + 1] = task
  elseif task.attempts > 0 or task.phase >= SUCCEEDED then
    add_to_key(task)
  end
end

-- Forget that a task which is deleted has, or waits for, a key.
local function forget_key(task, behind)
  -- Another program may have written there, and the task is to be deleted all the same.
  try(call, "ZREM", P .. "unique:" .. task.unique, task.id)
  call("DEL", P .. "behind:" .. task.id)
  if behind then try(call, "ZREM", P .. "behind:" .. behind, task.id) end
end

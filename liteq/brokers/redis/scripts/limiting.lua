-- Limits of tasks, and the lines in which tasks wait: liteq/brokers/admission.py once more, in Lua.
--
-- The data must not leave the server within a transaction, so there are two. They have the same
-- names for the same things, and the contract holds both to the same behaviour.
--
-- Of each limit of a task its id is in one of `ahead`, `counted`, `line` and `elsewhere`, from when
-- it asks until it has ended or runs later.

local MOST_AT_ONCE = 100 -- tasks of one line that are looked at by one script
local FEW = 2 -- as many are read at first
local PATIENCE = 60 -- seconds
local LOOK_AGAIN = 0.1 -- seconds
local CLOSE = 1e-6 -- seconds

local rooms -- by key, see `room_of`

-- Return the limits of a task: of each key, name, cost, running, rate, burst; they are lines of the
-- field `limits`, as `limits_text` in arguments.py has them.
local function uses_of(task)
  if task.uses then return task.uses end
  local lines, uses = {}, {}
  for line in (task.limits or ""):gmatch("([^\n]*)\n") do lines[#lines + 1] = line end
  for n = 1, #lines - 5, 6 do
    uses[#uses + 1] = {
      key = lines[n], name = lines[n + 1], cost = tonumber(lines[n + 2]) or 1,
      running = lines[n + 3], rate = lines[n + 4], burst = lines[n + 5],
    }
  end
  task.uses = uses
  return uses
end

local function member_of(task)
  return task.seq .. task.id
end

-- Return a limit: running, rate and burst are numbers or nil; nil if there is none of that key.
local function load_limit(key)
  local name, running, rate, burst, fixed, free, held, look = unpack(call("HMGET",
    P .. "limit:" .. key, "name", "running", "rate", "burst", "fixed", "free", "held", "look"))
  if not name then return nil end
  return {
    name = name, running = tonumber(number_in(running)), rate = tonumber(number_in(rate)),
    burst = tonumber(number_in(burst)), fixed = fixed == "1", free = tonumber(number_in(free)),
    held = tonumber(number_in(held)), look = tonumber(number_in(look)),
  }
end

local function write_rule(key, running, rate, burst)
  local names, values = { "running", "rate", "burst" }, { running, rate, burst }
  for n, name in ipairs(names) do
    if values[n] and values[n] ~= "" then
      call("HSET", P .. "limit:" .. key, name, values[n])
    else
      call("HDEL", P .. "limit:" .. key, name)
    end
  end
end

-- Let a limit be as the code of the last task says, unless its numbers were set at run time.
local function define(use)
  local known = load_limit(use.key)
  call("ZADD", P .. "limits", "+inf", use.key)
  if known and known.fixed then return end
  local running, rate, burst = use.running, use.rate, use.burst
  if use.name ~= use.key then
    local fixed, its_running, its_rate, its_burst = unpack(call("HMGET",
      P .. "limit:" .. use.name, "fixed", "running", "rate", "burst"))
    if fixed == "1" then running, rate, burst = its_running, its_rate, its_burst end
  end
  call("HSET", P .. "limit:" .. use.key, "name", use.name)
  write_rule(use.key, running, rate, burst)
end

-- Count the starts of the tasks that have passed a limit since this was done last; return when it
-- is free.
local function count_starts(key, limit)
  if not limit.rate then return limit.free end
  local passed, starts = call("HGETALL", P .. "ahead:" .. key), {}
  for n = 1, #passed, 2 do
    local started, seq = unpack(call("HMGET", P .. "task:" .. passed[n], "started", "seq"))
    if number_in(started) then
      starts[#starts + 1] = { id = passed[n], at = tonumber(started), seq = seq or "",
        cost = passed[n + 1] }
    end
  end
  table.sort(starts, function(a, b)
    if a.at ~= b.at then return a.at < b.at end
    return a.seq < b.seq
  end)
  for _, start in ipairs(starts) do
    limit.free = math.max(limit.free or start.at, start.at) + start.cost / limit.rate
    call("HDEL", P .. "ahead:" .. key, start.id)
    call("HSET", P .. "counted:" .. key, start.id, start.cost)
  end
  if #starts > 0 then call("HSET", P .. "limit:" .. key, "free", number_text(limit.free)) end
  return limit.free
end

local function sum_of(hash)
  local sum = 0
  for _, cost in ipairs(call("HVALS", hash)) do sum = sum + (tonumber(cost) or 1) end
  return sum
end

-- The room that a limit has; of one that is not there, any room.

local function room_of(key)
  if not rooms[key] then
    local limit = load_limit(key) or {}
    local room = { limit = limit, free = count_starts(key, limit), taken = 0, ahead = 0 }
    if limit.rate or limit.running then room.ahead = sum_of(P .. "ahead:" .. key) end
    if limit.running then room.taken = room.ahead + sum_of(P .. "counted:" .. key) end
    if not limit.rate then room.ahead = 0 end
    rooms[key] = room
  end
  return rooms[key]
end

local function take(room, cost)
  room.taken, room.ahead = room.taken + cost, room.ahead + cost
end

local function has_slots(room, cost, kept)
  local running = room.limit.running
  return not running or room.taken + kept + math.min(cost, running) <= running
end

-- Return when a task of that cost may start. Those that have passed and not started are taken for
-- starting now.
local function earliest(room, cost, kept)
  local rate, burst = room.limit.rate, room.limit.burst
  if not rate or not burst then return now end
  local full = math.max(room.free or now, now)
  return full - (burst - room.ahead - kept - math.min(cost, burst)) / rate
end

local function held_until(room)
  local held = room.limit.held
  return held and held > now and held or nil
end

local function has_room(room, cost, kept)
  if held_until(room) or not has_slots(room, cost, kept) then return false end
  return earliest(room, cost, kept) <= now + CLOSE
end

local function next_moment(room, cost)
  if held_until(room) then return held_until(room) end
  if not has_slots(room, cost, 0) then return nil end
  local at = earliest(room, cost, 0)
  if room.ahead > 0 and (room.free or now) <= now then return math.max(at, now + LOOK_AGAIN) end
  return at
end

-- The lines.

-- Return the first tasks of a line. What stands there and does not wait is taken out.
local function standing_in(key, limit)
  local found = {}
  for _, member in ipairs(call("ZRANGE", P .. "line:" .. key, 0, limit - 1)) do
    local task = load_task(id_of(member))
    if task and task.phase == WAITING and task.limits then
      local expires
      task.denied, expires, task.everywhere =
        unpack(call("HMGET", task.key, "denied", "expires", "everywhere"))
      task.denied = tonumber(number_in(task.denied))
      task.expires = tonumber(number_in(expires))
      found[#found + 1] = task
    else
      call("ZREM", P .. "line:" .. key, member)
    end
  end
  return found
end

local function is_impatient(task)
  return task.denied and task.denied + PATIENCE <= now
end

local function stand_in(task, use)
  call("ZADD", P .. "line:" .. use.key, -tonumber(task.priority), member_of(task))
end

-- Let a task stand in one line, and in no other.
local function stand_only_in(task, key)
  for _, use in ipairs(uses_of(task)) do
    call("HDEL", P .. "ahead:" .. use.key, task.id)
    call("HDEL", P .. "counted:" .. use.key, task.id)
    if use.key == key then
      stand_in(task, use)
      call("SREM", P .. "elsewhere:" .. use.key, task.id)
    else
      call("ZREM", P .. "line:" .. use.key, member_of(task))
      call("SADD", P .. "elsewhere:" .. use.key, task.id)
    end
  end
  call("HDEL", task.key, "everywhere")
  call("HSET", task.key, "stands", key)
end

local function stand_in_all(task)
  local first
  for _, use in ipairs(uses_of(task)) do
    stand_in(task, use)
    call("SREM", P .. "elsewhere:" .. use.key, task.id)
    if not first or use.key < first then first = use.key end
  end
  call("HSET", task.key, "stands", first, "everywhere", 1)
end

local function cost_in(task, key)
  for _, use in ipairs(uses_of(task)) do
    if use.key == key then return use.cost end
  end
  return 1
end

-- Return the limits of a task besides one, by their keys.
local function others_of(task, key)
  local found = {}
  for _, use in ipairs(uses_of(task)) do
    if use.key ~= key then found[#found + 1] = use end
  end
  table.sort(found, function(a, b) return a.key < b.key end)
  return found
end

-- Note that a task is under no limit any more.
local function forget_uses(task)
  for _, use in ipairs(uses_of(task)) do
    try(call, "ZREM", P .. "line:" .. use.key, member_of(task))
    try(call, "SREM", P .. "elsewhere:" .. use.key, task.id)
    try(call, "HDEL", P .. "ahead:" .. use.key, task.id)
    try(call, "HDEL", P .. "counted:" .. use.key, task.id)
    looks[use.key] = true
  end
  call("HDEL", task.key, "since", "denied", "stands", "everywhere")
end

local function let_pass(task, counted)
  if counted then
    for _, use in ipairs(uses_of(task)) do
      call("ZREM", P .. "line:" .. use.key, member_of(task))
      call("SREM", P .. "elsewhere:" .. use.key, task.id)
      call("HSET", P .. "ahead:" .. use.key, task.id, use.cost)
    end
    call("HDEL", task.key, "stands", "everywhere")
  else
    forget_uses(task)
  end
  task.has_passed = true
  leave_phase(task)
  enter_phase(task, READY)
end

-- Return whether another limit has room for a task, beside what its line's head keeps.
local function other_has_room(other, task)
  local kept, head = 0, standing_in(other.key, 1)[1]
  if head and is_impatient(head) then
    local before, mine = -tonumber(head.priority), -tonumber(task.priority)
    if before < mine or (before == mine and member_of(head) < member_of(task)) then
      kept = cost_in(head, other.key)
    end
  end
  return has_room(room_of(other.key), other.cost, kept)
end

-- Let a task pass for which there is room here, if its other limits have room as well. Else it goes
-- to the line of one that has none. Return false if it stays here as well.
local function passes_or_moves(key, room, task, is_head)
  local others, full = others_of(task, key), nil
  for _, other in ipairs(others) do
    if not other_has_room(other, task) then
      full = other
      break
    end
  end
  if not full then
    let_pass(task, true)
    take(room, cost_in(task, key))
    for _, other in ipairs(others) do
      take(room_of(other.key), other.cost)
      if task.everywhere then looks[other.key] = true end
    end
    return true
  end
  if task.everywhere then return false end
  if is_head and is_impatient(task) then
    stand_in_all(task)
    for _, other in ipairs(others) do looks[other.key] = true end
    return false
  end
  stand_only_in(task, full.key)
  if not task.denied then call("HSET", task.key, "denied", timestamp) end
  looks[full.key] = true
  return true
end

-- Let those in a line pass who can; return when to look again, nil for when a task ends.
local function go_along(key, room)
  local left
  for _, most in ipairs({ FEW, MOST_AT_ONCE }) do
    local kept, standing = 0, standing_in(key, most)
    left = 0
    for _, task in ipairs(standing) do
      local cost, expired = cost_in(task, key), task.expires and task.expires <= now
      if not expired and not has_room(room, cost, kept) then
        -- What is kept is free when that task has passed, and it is looked at then.
        if has_room(room, cost, 0) then return nil end
        return next_moment(room, cost)
      end
      if expired then
        let_pass(task, false)
        left = left + 1
      elseif passes_or_moves(key, room, task, kept == 0) then
        left = left + 1
      elseif kept == 0 then
        kept = cost
      end
    end
    if #standing < most then return nil end
  end
  return left > 0 and now or nil
end

local function is_used(key)
  return call("EXISTS", P .. "ahead:" .. key, P .. "counted:" .. key, P .. "line:" .. key,
    P .. "elsewhere:" .. key) > 0
end

local function set_look(key, look)
  local limit = load_limit(key)
  if not limit then return end
  if look then
    call("HSET", P .. "limit:" .. key, "look", number_text(look))
    call("ZADD", P .. "looks", number_text(look), key)
    if not limit.look or look < limit.look then to_notify.work = true end
  else
    call("HDEL", P .. "limit:" .. key, "look")
    call("ZREM", P .. "looks", key)
    if not limit.fixed and not is_used(key) then
      local keep_until = math.max(limit.free or 0, limit.held or 0)
      if keep_until <= now then
        call("DEL", P .. "limit:" .. key)
        call("ZREM", P .. "limits", key)
      else
        call("ZADD", P .. "limits", number_text(keep_until), key)
      end
    end
  end
end

local function look_at_line(key)
  set_look(key, go_along(key, room_of(key)))
end

-- What tasks.lua calls.

-- Let the tasks pass that can, of the limits that are to be looked at.
local function admit_limits()
  while next(looks) do
    local key
    for each in pairs(looks) do
      if not key or each < key then key = each end -- in one order, as it may matter
    end
    looks[key] = nil
    try(look_at_line, key)
  end
  rooms = {}
end

-- Note that a task which has run ends, or runs later: its start counts.
function count_start_of(task)
  for _, use in ipairs(uses_of(task)) do
    local read, limit = try(load_limit, use.key)
    if read and limit then try(count_starts, use.key, limit) end
  end
end

local function begin_limiting()
  rooms, admit_all = {}, admit_limits
end

-- Let the tasks that have passed a limit and not started wait for it once more.
local function recall(key)
  for _, hash in ipairs({ "ahead:", "counted:" }) do
    for _, id in ipairs(call("HKEYS", P .. hash .. key)) do
      local task = load_task(id)
      if task and task.phase == READY then
        for _, use in ipairs(uses_of(task)) do looks[use.key] = true end
        leave_phase(task)
        stand_only_in(task, key)
        task.has_passed = true -- it has asked already
        enter_phase(task, WAITING)
      end
    end
  end
  looks[key] = true
end

function leave_limits(task)
  if call("HEXISTS", task.key, "since") == 1 then forget_uses(task) end
end

-- Let a task that is ready wait in the line of its first limit.
function stand_in_line(task)
  for _, use in ipairs(uses_of(task)) do define(use) end
  local first = uses_of(task)[1].key
  stand_only_in(task, first)
  call("HSET", task.key, "since", timestamp)
  looks[first] = true
end

-- Note that a task was claimed and is ready again: it has passed, and has not started.
function note_not_begun(task)
  for _, use in ipairs(uses_of(task)) do
    if call("HDEL", P .. "counted:" .. use.key, task.id) == 1 then
      call("HSET", P .. "ahead:" .. use.key, task.id, use.cost)
    end
  end
end

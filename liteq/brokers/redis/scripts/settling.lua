-- Writing settlements. Each is in the arguments, as `settlement_args` in arguments.py has it:
--
--   the number of the arguments that follow
--   id, token, phase, whether it is sent again (the reply was lost), the number of fields and
--   values, and these
--   for a final phase: until when the task is kept (empty: for ever)
--   for another phase, the next attempt: message, queue, priority, eta (or empty); when and how
--   this attempt ended, the error; its steps, see events.lua; the event that it waits for (or
--   empty); whether what it reported stays; whether other tasks run in its place, or it waits for
--   others, and if so their graph, and what the task waits for: id, whether it is a group, takes
--   for RUNNING, a task that goes on: its steps; its output, see output.lua

local function read_settlement()
  local id, token, phase, again, size = next_args(5)
  local first, last = skip_args(tonumber(size))
  return {
    id = id, token = token, phase = tonumber(phase), again = again == "1" or sent_again,
    first_field = first, last_field = last,
  }
end

local function read_next_attempt()
  local message, queue, priority, eta, at, why, error = next_args(7)
  local steps = read_steps()
  local event, keeps_report, replaced = next_args(3)
  return {
    message = message, queue = queue, priority = priority, eta = eta ~= "" and eta or nil,
    at = at, why = why, error = error, steps = steps, event = event ~= "" and event or nil,
    keeps_report = keeps_report == "1", replaced = replaced == "1",
  }
end

-- Write the fields of a settlement in place of those that an earlier run left.
local function write_fields(task, settlement, keeps_report)
  if keeps_report then
    call("HDEL", task.key, "lost")
  else
    call("HDEL", task.key, "result", "serializer", "traceback", "reported", "lost")
  end
  if settlement.last_field >= settlement.first_field then
    call("HSET", task.key, unpack(args, settlement.first_field, settlement.last_field))
  end
end

-- Read the graph that runs in place of a task, and what that task waits for now.
local function replace(task)
  insert_graph()
  local waits, barrier, takes = next_args(3)
  -- The inputs that it took before are in the messages of the tasks that run in its place.
  call("HDEL", task.key, "takes", "on_failure")
  call("HSET", task.key, "tied", 1)
  task.tied = "1"
  if takes == "1" then call("HSET", task.key, "takes", 1) end
  if waits == "" then return end
  local old_group = task.barrier and task.waits
  set_waits(task, waits, barrier == "1")
  call("HDEL", task.key, "barrier")
  call("HSET", task.key, "waits", waits)
  if barrier == "1" then call("HSET", task.key, "barrier", 1) end
  task.barrier = barrier == "1" and "1" or false
  if old_group then free_members(old_group) end
end

local function store_next_attempt(task, settlement, next_attempt)
  add_attempt(task, next_attempt.at, next_attempt.why, next_attempt.error)
  leave_phase(task)
  write_fields(task, settlement, next_attempt.keeps_report)
  store_steps(task.id, next_attempt.steps)
  stop_awaiting(task)
  call("HDEL", task.key, "started", "eta", "priority")
  task.queue, task.priority = next_attempt.queue, next_attempt.priority
  task.eta = next_attempt.eta
  call("HSET", task.key, "message", next_attempt.message, "queue", task.queue,
    "priority", task.priority)
  if task.eta then call("HSET", task.key, "eta", task.eta) end
  if next_attempt.replaced then replace(task) end
  local has_come = next_attempt.event and await_event(task, next_attempt.event)
  enter_phase(task, has_come and READY or settlement.phase)
end

-- The short way, which nearly all tasks take: those for which no other task waits. Their moves
-- from index to index are collected, and made by one command for many before an index is read.

local RUNNING_TEXT = RUNNING .. ""
local removals, additions -- by key: members; scores and members

local function begin_settling()
  removals, additions = {}, {}
end

local function settle_untied(settlement, keep)
  local key = P .. "task:" .. settlement.id
  local phase, token, tied, seq, queue, worker, serializer, traceback, reported, lost =
    unpack(call("HMGET", key, "phase", "token", "tied", "seq", "queue", "worker", "serializer",
    "traceback", "reported", "lost"))
  if phase ~= RUNNING_TEXT or token ~= settlement.token or tied then return false end
  if serializer or traceback or reported or lost then
    call("HDEL", key, "result", "serializer", "traceback", "reported", "lost")
  end
  local first, last = settlement.first_field, settlement.last_field
  if keep then
    call("HSET", key, "phase", settlement.phase, "keep", keep, unpack(args, first, last))
  else
    call("HSET", key, "phase", settlement.phase, unpack(args, first, last))
  end
  local member = seq .. settlement.id
  local running, ended_index = P .. "running:" .. worker, P .. "ended:" .. settlement.phase
  removals[running] = removals[running] or {}
  table.insert(removals[running], member)
  additions[ended_index] = additions[ended_index] or {}
  table.insert(additions[ended_index], keep or "+inf")
  table.insert(additions[ended_index], member)
  change_count(queue, RUNNING, -1)
  change_count(queue, settlement.phase, 1)
  to_notify.results = true
  return true
end

local function move_untied()
  for key, members in pairs(removals) do call_in_chunks("ZREM", key, members) end
  for key, members in pairs(additions) do call_in_chunks("ZADD", key, members) end
end

-- Read a settlement and write it; return whether the claim was held.
local function settle()
  local settlement = read_settlement()
  local keep, next_attempt, steps, output
  if settlement.phase >= SUCCEEDED then
    keep = next_arg()
    if keep == "" then keep = nil end
    if settle_untied(settlement, keep) then return true end
  elseif settlement.phase == RUNNING then
    steps, output = read_steps(), read_output()
  else
    next_attempt = read_next_attempt()
  end
  local task = load_task(settlement.id)
  local same_claim = task and task.token == settlement.token
  if output then
    -- A task that completes in a transaction of its own succeeds before its output comes.
    if not same_claim or (task.phase ~= RUNNING and task.phase ~= SUCCEEDED) then return false end
    try(store_output, task.id, output) -- what cannot be stored costs no more than itself
    return true
  end
  if not same_claim or task.phase ~= RUNNING then
    return settlement.again and same_claim -- it was written the first time
  end
  if steps then
    store_steps(task.id, steps)
  elseif next_attempt then
    store_next_attempt(task, settlement, next_attempt)
  else
    leave_phase(task)
    write_fields(task, settlement)
    finish(task, settlement.phase, keep)
  end
  return true
end

-- End a task whose stored fields cannot be used, as far as they allow it.
local function set_aside(id, why)
  local key = P .. "task:" .. id
  if call("TYPE", key).ok ~= "hash" then return end
  local seq, worker, queue = unpack(call("HMGET", key, "seq", "worker", "queue"))
  local member = (seq or "") .. id
  if worker then call("ZREM", P .. "running:" .. worker, member) end
  change_count(queue or "", RUNNING, -1)
  change_count(queue or "", DEAD, 1)
  call("HSET", key, "phase", DEAD, "finished", timestamp, "traceback",
    "what is stored of it cannot be used: " .. why, "keep", number_text(now + KEEP_DEAD))
  call("ZADD", P .. "ended:" .. DEAD, now + KEEP_DEAD, member)
  to_notify.results = true
end

-- Read the number of settlements and these, and write them; return the numbers, from 0, of those
-- that were refused because the claim was lost, and of those whose task is set aside because what
-- is stored of it cannot be used.
local function read_and_settle()
  local refused, unusable = {}, {}
  for n = 0, tonumber(next_arg()) - 1 do
    local size = tonumber(next_arg())
    local last = last_arg + size
    local id = args[last_arg + 1]
    local used, held = try(settle)
    if not used then
      set_aside(id, held)
      unusable[#unusable + 1] = n
    elseif not held then
      refused[#refused + 1] = n
    end
    last_arg = last
  end
  move_untied()
  return refused, unusable
end

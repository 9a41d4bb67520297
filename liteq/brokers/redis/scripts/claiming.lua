-- Handing ready tasks to workers.

-- What a task takes from those it waited for. On the way to the client each input is a list in the
-- order of `Input` in model/message.py; that of a group is { "group", inputs }. From a group that
-- is too large for one script it is { "pages", id }, and the client reads it by inputs.lua.

local inputs_left = 1000 -- that this script may still read from groups: some 10 ms

local function read_end(id)
  local phase, serializer, result, traceback =
    unpack(call("HMGET", P .. "task:" .. id, "phase", "serializer", "result", "traceback"))
  if not phase then return nil end
  return {
    phase = tonumber(phase), serializer = serializer, result = result, traceback = traceback,
  }
end

-- Return the end of a task; of one that was skipped, with the error of the task that failed.
local function end_with_error(id)
  local found = read_end(id)
  if not found or found.phase ~= SKIPPED then return found end
  local cause = call("HGET", P .. "task:" .. id, "woken_by")
  local failed = cause and read_end(cause)
  if not failed then return found end
  failed.phase = SKIPPED
  return failed
end

local function input_from(task_end)
  if not task_end then return false end
  return { task_end.phase, task_end.serializer, task_end.result, task_end.traceback }
end

-- Return what an errback takes: the input, and of the task that failed its cause, id and message.
local function input_from_failed(id)
  local input = input_from(end_with_error(id))
  if not input then return false end
  local woken_by, message = unpack(call("HMGET", P .. "task:" .. id, "woken_by", "message"))
  table.insert(input, woken_by)
  table.insert(input, id)
  table.insert(input, message)
  return input
end

local input_from_group

-- Append positions and inputs of members of a group; `index`: members, or inner for groups in it.
local function add_inputs(members, group, index, first, last)
  local listed = call("ZRANGE", P .. index .. ":" .. group, first, last, "WITHSCORES")
  for n = 1, #listed, 2 do
    local id, position = listed[n], tonumber(listed[n + 1])
    local input = index == "inner" and input_from_group(id) or input_from(end_with_error(id))
    members[#members + 1] = { position, input }
  end
end

-- Return the inputs from a group's members, by position; those from groups in it are lists.
function input_from_group(group)
  local size = call("ZCARD", P .. "members:" .. group) + call("ZCARD", P .. "inner:" .. group)
  if size > inputs_left then return { "pages", group } end
  inputs_left = inputs_left - size
  local members, inputs = {}, {}
  add_inputs(members, group, "members", 0, -1)
  add_inputs(members, group, "inner", 0, -1)
  table.sort(members, function(a, b) return a[1] < b[1] end)
  for n, member in ipairs(members) do inputs[n] = member[2] end
  return { "group", inputs }
end

local function inputs_of(key)
  local waits, takes, on_failure, barrier =
    unpack(call("HMGET", key, "waits", "takes", "on_failure", "barrier"))
  if not waits or not (takes or on_failure) then return false end
  if barrier then return input_from_group(waits) end
  if on_failure then return input_from_failed(waits) end
  return input_from(read_end(waits))
end

-- Return a delivery as `delivery_of` in replies.py reads it, and the task's queue; nil for a task
-- that was deleted. Most tasks run for the first time and alone: they have no details.
local function delivery_of(id, token)
  local key = P .. "task:" .. id
  local message, queue, lost, reported, attempts, tied, woken_by = unpack(call("HMGET", key,
    "message", "queue", "lost", "reported", "attempts", "tied", "woken_by"))
  if not message then return nil end
  local details = false
  if lost or reported or attempts or tied or woken_by then
    details = { lost, reported, attempts, tied, woken_by, woken_by and inputs_of(key) }
  end
  return { id, token, message, details }, queue
end

-- Take the first `limit` ready tasks of some queues out of their indexes; return them as members.
local function take_ready(queues, limit)
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
      heads[#heads + 1] = { member = listed[n], score = tonumber(listed[n + 1]), queue = queue }
    end
  end
  table.sort(heads, function(a, b)
    if a.score ~= b.score then return a.score < b.score end
    return a.member < b.member
  end)
  for n = 1, math.min(limit, #heads) do
    call("ZREM", P .. "ready:" .. heads[n].queue, heads[n].member)
    found[n] = heads[n].member
  end
  return found
end

-- Return the deliveries of the worker's last claim if the reply to it was lost: `last_token` is
-- the last token that has reached the worker. So a claim that is sent again returns the same tasks.
local function deliver_again(worker, last_token)
  local handed = call("HGET", P .. "worker:" .. worker, "handed")
  if not handed then return {} end
  local last_claim, found = cmsgpack.unpack(handed), {}
  if last_claim.to <= last_token then return found end
  for n, member in ipairs(last_claim.members) do
    local id = id_of(member)
    local token = string.format("%.0f", last_claim.to - #last_claim.members + n)
    local phase, held = unpack(call("HMGET", P .. "task:" .. id, "phase", "token"))
    if tonumber(phase) == RUNNING and held == token then
      found[#found + 1] = (delivery_of(id, token))
    end
  end
  return found
end

local function claim(worker, last_token, limit, queues)
  if call("HGET", P .. "worker:" .. worker, "struck") then restore_worker(worker) end
  local found = deliver_again(worker, last_token)
  if #found > 0 or limit < 1 then return found end
  local members = take_ready(queues, limit)
  if #members == 0 then return found end
  local before_first = reserve_tokens(#members)
  local running = {} -- scores and members
  for n, member in ipairs(members) do
    local id, token = id_of(member), string.format("%.0f", before_first + n)
    local delivery, queue = delivery_of(id, token)
    if delivery then
      call("HSET", P .. "task:" .. id, "phase", RUNNING, "token", token, "worker", worker,
        "started", timestamp)
      running[#running + 1] = 0
      running[#running + 1] = member
      change_count(queue, READY, -1)
      change_count(queue, RUNNING, 1)
      found[#found + 1] = delivery
    end
  end
  call_in_chunks("ZADD", P .. "running:" .. worker, running)
  call("HSET", P .. "worker:" .. worker, "handed",
    cmsgpack.pack({ to = before_first + #members, members = members }))
  return found
end

-- Read a claim from the arguments, as `claim_args` in arguments.py has it, and return deliveries.
local function read_and_claim()
  local worker, last_token, limit = next_args(3)
  return claim(worker, tonumber(last_token), tonumber(limit), { unpack(ARGV, last_arg + 1) })
end

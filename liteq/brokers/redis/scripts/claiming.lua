-- Handing ready tasks to workers.

local inputs_left -- that this script may still read from groups: some 10 ms
local overwritten -- keys of queues that are no sorted sets: another program has written there
local more_ready -- whether more may be ready than a claim has taken
local options_by_group -- those that this script has read

local function begin_claiming()
  inputs_left, overwritten, options_by_group, more_ready = 1000, {}, {}, false
end

-- What a task takes from those it waited for, as `_taken` in deliveries.py reads it: an input is a
-- list, and that of a group is { "group", id, inputs }. From a group that is too large for one
-- script it is { "pages", id }, and the client reads it by inputs.lua.

-- Return the place of a task in its workflow.
local function place_of(key)
  return call("HMGET", key, "waits", "barrier", "on_failure", "takes", "group", "position")
end

-- Return the options that all members of a group have, for a task at `place`; false if there are
-- none.
local function options_of_group(place)
  local group = place and place[5]
  if not group then return false end
  if options_by_group[group] == nil then
    options_by_group[group] = call("HGET", P .. "group:" .. group, "options")
  end
  return options_by_group[group]
end

local function read_end(id)
  local phase, serializer, result, traceback, reported, group, position =
    unpack(call("HMGET", P .. "task:" .. id, "phase", "serializer", "result", "traceback",
    "reported", "group", "position"))
  if not phase then return nil end
  return {
    id = id, phase = tonumber(phase), serializer = serializer, result = result,
    traceback = traceback, reported = reported, group = group, position = position,
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
  return {
    task_end.phase, task_end.serializer, task_end.result, task_end.traceback,
    task_end.id, task_end.reported, task_end.group, task_end.position,
  }
end

-- Return what a task with a unique key was given while it waited: eta, expires, and new arguments,
-- if any: message, id, group and position of the call that has brought them.
local function given_to(key)
  return call("HMGET", key, "eta", "expires", "given", "given_id", "given_group",
    "given_position")
end

-- Return what an errback takes: the input, and of the task that failed its cause, message, id,
-- place, the options of its group, and what it was given.
local function input_from_failed(id)
  local input = input_from(end_with_error(id))
  if not input then return false end
  local key = P .. "task:" .. id
  local woken_by, message, unique = unpack(call("HMGET", key, "woken_by", "message", "unique"))
  input[9], input[10] = woken_by, message
  input[11], input[12] = id, place_of(key)
  input[13] = options_of_group(input[12])
  input[14] = unique and given_to(key)
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
  return { "group", group, inputs }
end

-- Return what a task gets that is to end as another one: the input, and of that task message, id,
-- place, and the options of its group, by which it is known that both have the same unique key.
local function input_to_follow(id)
  local key = P .. "task:" .. id
  local input = input_from(end_with_error(id))
  local place = place_of(key)
  return { "same", input, call("HGET", key, "message"), id, place, options_of_group(place) }
end

local function inputs_of(key)
  local waits, takes, on_failure, barrier, follows, behind =
    unpack(call("HMGET", key, "waits", "takes", "on_failure", "barrier", "follows", "behind"))
  if follows and behind then return input_to_follow(behind) end
  if not waits or not (takes or on_failure) then return false end
  if barrier then return input_from_group(waits) end
  if on_failure then return input_from_failed(waits) end
  return input_from(read_end(waits))
end

-- Return a delivery as `sort_out` in deliveries.py reads it, and the task's queue; nil for a task
-- that was deleted. Most tasks run for the first time and alone: they have no details.
local function delivery_of(id, token)
  local key = P .. "task:" .. id
  local message, queue, lost, reported, attempts, tied, woken_by, waits, unique =
    unpack(call("HMGET", key, "message", "queue", "lost", "reported", "attempts", "tied",
    "woken_by", "waits", "unique"))
  if not message then return nil end
  local details = false
  if lost or reported or attempts or tied or waits then
    local place = (tied or waits) and place_of(key)
    details = {
      lost, reported, attempts, tied, woken_by, woken_by and inputs_of(key), place,
      options_of_group(place), unique and given_to(key),
    }
  end
  return { id, token, message, details }, queue
end

-- Return the same; for a task of which that cannot be read, a delivery without a message.
local function readable_delivery(id, token)
  local read, delivery, queue = try(delivery_of, id, token)
  if read then return delivery, queue end
  if call("TYPE", P .. "task:" .. id).ok ~= "hash" then return nil end
  return { id, token, false, false }, call("HGET", P .. "task:" .. id, "queue")
end

-- Return the reply to a command about the ready tasks of a queue; an empty one if its key is not
-- what liteq keeps there, so that other queues can be claimed from.
local function ask_queue(command, queue, ...)
  local key = P .. "ready:" .. queue
  local reply = redis.pcall(command, key, ...)
  if not reply.err then return reply end
  if not reply.err:match("WRONGTYPE") then error(reply) end
  overwritten[#overwritten + 1] = key
  return {}
end

-- Take the first `limit` ready tasks of some queues out of their indexes; return them as members.
local function take_ready(queues, limit)
  local found = {}
  if #queues == 1 then
    local popped = ask_queue("ZPOPMIN", queues[1], limit)
    for n = 1, #popped, 2 do found[#found + 1] = popped[n] end
    return found
  end
  local heads = {}
  for _, queue in ipairs(queues) do
    local listed = ask_queue("ZRANGE", queue, 0, limit - 1, "WITHSCORES")
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

local take_open = take_ready -- see passing.lua

-- Return the deliveries of the worker's last claim if the reply to it was lost: `last_token` is
-- the last token that has reached the worker. So a claim that is sent again returns the same tasks.
-- Each token is compared: the last task of a claim may be gone, so that its token never arrives.
local function deliver_again(worker, last_token)
  local handed = call("HGET", P .. "worker:" .. worker, "handed")
  if not handed then return {} end
  local read, last_claim = pcall(cmsgpack.unpack, handed)
  if not read or type(last_claim) ~= "table" or type(last_claim.to) ~= "number"
    or type(last_claim.members) ~= "table" then
    return {}
  end
  local found = {}
  if last_claim.to <= last_token then return found end
  for n, member in ipairs(last_claim.members) do
    local id = id_of(member)
    local token = string.format("%.0f", last_claim.to - #last_claim.members + n)
    if tonumber(token) > last_token and token_of_claim(id, worker) == token then
      found[#found + 1] = (readable_delivery(id, token))
    end
  end
  return found
end

-- Raise an error, before anything is taken, if one of the keys that a claim writes to is not what
-- liteq keeps there.
local function check_keys_of_claim(worker)
  local kind = call("TYPE", P .. "running:" .. worker).ok
  local token = call("GET", P .. "token")
  if (kind ~= "zset" and kind ~= "none") or (token and not token:match("^%d+$")) then
    error("WRONGTYPE of a key that a claim needs")
  end
end

local function claim(worker, last_token, limit, queues)
  if call("HGET", P .. "worker:" .. worker, "struck") then restore_worker(worker) end
  local found = deliver_again(worker, last_token)
  if #found > 0 or limit < 1 then return found end
  check_keys_of_claim(worker)
  local members = take_open(worker, queues, limit)
  if #members == 0 then return found end
  local before_first = reserve_tokens(#members)
  local running = {} -- scores and members
  for n, member in ipairs(members) do
    local id, token = id_of(member), string.format("%.0f", before_first + n)
    local delivery, queue = readable_delivery(id, token)
    if delivery then
      queue = queue or ""
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

-- Read a claim from the arguments, as `claim_args` in arguments.py has it. Return deliveries, and
-- behind them a 1 if more may be ready.
local function read_and_claim()
  local worker, last_token, limit = next_args(3)
  local found = claim(worker, tonumber(last_token), tonumber(limit), { unpack(args, last_arg + 1) })
  if more_ready then found[#found + 1] = 1 end
  return found
end

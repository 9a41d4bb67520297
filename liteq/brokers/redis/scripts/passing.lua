-- Claims that pass tasks over: those that are paused, or that the worker does not know.
--
-- Of a queue that is paused nothing is claimed. A task that is paused by its name, or is not known
-- to the worker that meets it, is put out of the way of all claims at once: into a queue of its
-- own, that is named after its queue and its name. From there it is claimed by who may have it.

local BREAK = "\n" -- between the two names, see `BREAK` in pausing.py
local MOST_MOVED = 500 -- tasks that one script puts out of the way: it takes some ms

-- Return the queue and the name in the name of such a queue; nil for any other.
local function parts_of(queue)
  return queue:match("^([^\n]*)\n(.*)$")
end

-- Return what is paused, by name: queues and tasks; and whether the whole store is.
local function read_pauses()
  local pauses = { queue = {}, task = {}, store = {} }
  for _, field in ipairs(call("HKEYS", P .. "paused")) do
    local kind, name = field:match("^(%a+):(.*)$")
    if pauses[kind] then pauses[kind][name] = true end
  end
  return pauses
end

-- Return a function that says whether a worker may have tasks of a name.
local function permission(worker, pauses)
  local names = P .. "knows:" .. worker
  local knows_all = call("EXISTS", names) == 0
  local known = {}
  return function(name)
    if known[name] == nil then
      known[name] = knows_all or call("SISMEMBER", names, name) == 1
    end
    return known[name] and not pauses.task[name]
  end
end

-- Return the name of a task: the first value in the JSON of its message, see packing.py. Nil for
-- one that cannot be read.
local function name_of(id)
  local message = call("HGET", P .. "task:" .. id, "message")
  local read, head = pcall(cjson.decode, message and message:match("^[^\n]*") or "")
  if read and type(head) == "table" and type(head[1]) == "string" then return head[1] end
end

-- Put a ready task, which is in no index, into the queue of those of its queue and name.
local function put_aside(member, name)
  local key = P .. "task:" .. id_of(member)
  local queue, priority = unpack(call("HMGET", key, "queue", "priority"))
  local own = (queue or "") .. BREAK .. name
  call("HSET", key, "queue", own)
  call("ZADD", P .. "ready:" .. own, -tonumber(number_in(priority) or "0"), member)
  change_count(queue or "", READY, -1)
  change_count(own, READY, 1)
  call("HSETNX", P .. "left", own, timestamp)
end

-- Put those of the first ready tasks of a queue out of the way that are not allowed. Return how
-- many, and note their names in `names`.
local function clear_head(queue, allow, names)
  local key, moved = P .. "ready:" .. queue, 0
  for _, member in ipairs(call("ZRANGE", key, 0, MOST_MOVED - 1)) do
    local read, name = try(name_of, id_of(member))
    if read and name and not allow(name) and call("ZREM", key, member) == 1 then
      put_aside(member, name)
      names[name] = true
      moved = moved + 1
    end
  end
  return moved
end

-- Return those of `members` that the worker may have. Put the others out of the way, and those like
-- them that are next in their queues; return how many.
local function sift(members, allow)
  local good, queues, moved = {}, {}, 0
  for _, member in ipairs(members) do
    local read, name = try(name_of, id_of(member))
    if not read or not name or allow(name) then
      good[#good + 1] = member
    else
      queues[call("HGET", P .. "task:" .. id_of(member), "queue") or ""] = true
      put_aside(member, name)
      moved = moved + 1
    end
  end
  for queue in pairs(queues) do moved = moved + clear_head(queue, allow, {}) end
  return good, moved
end

-- Put tasks that were claimed from queues of their own back into those that they were sent to.
local function take_up(members)
  for _, member in ipairs(members) do
    local key = P .. "task:" .. id_of(member)
    local read, own = try(call, "HGET", key, "queue")
    local queue = read and own and parts_of(own)
    if queue then
      call("HSET", key, "queue", queue)
      change_count(own, READY, -1)
      change_count(queue, READY, 1)
    end
  end
end

-- Do as `take_ready`, but take nothing that is paused, and of what was left only what the worker
-- knows: the client gives back what else it does not know, see leave.lua. `more_ready` is then
-- whether there may be more behind what was put out of the way.
function take_open(worker, queues, limit)
  if call("EXISTS", P .. "paused", P .. "left") == 0 then return take_ready(queues, limit) end
  local pauses = read_pauses()
  if next(pauses.store) then return {} end
  local open, served, left = {}, {}, {}
  for _, queue in ipairs(queues) do
    if not pauses.queue[queue] then
      open[#open + 1] = queue
      served[queue] = true
    end
  end
  local function is_open(name) return not pauses.task[name] end
  local allow = permission(worker, pauses)
  for _, own in ipairs(call("HKEYS", P .. "left")) do
    local queue, name = parts_of(own)
    if queue and served[queue] and allow(name) then
      open[#open + 1] = own
      left[#left + 1] = own
    end
  end
  local found, moved = {}, 0
  while #open > 0 and #found < limit and moved < MOST_MOVED do
    local members, passed = take_ready(open, limit - #found), 0
    local full = #members == limit - #found
    if next(pauses.task) then members, passed = sift(members, is_open) end
    for _, member in ipairs(members) do found[#found + 1] = member end
    moved = moved + passed
    if passed == 0 and not full then break end
  end
  more_ready = moved >= MOST_MOVED and #found < limit
  if #left > 0 then
    take_up(found)
    if #found < limit and not more_ready then call_in_chunks("HDEL", P .. "left", left) end
  end
  return found
end

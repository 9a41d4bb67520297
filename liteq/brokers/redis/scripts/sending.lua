-- Storing new tasks.

-- Read a message from the arguments and store it at the place `seq`, if its id is new. It is, as
-- `message_args` in arguments.py has it: id, queue, message, the number of further fields and
-- values, and these. One with a unique key is not stored if another task has that, unless it has to
-- keep its id: then it has to ask for its key afterwards, see `ask_all`.
local function insert_task(seq)
  local id, queue, message, size = next_args(4)
  local first, last = skip_args(tonumber(size))
  local key = P .. "task:" .. id
  if call("EXISTS", key) == 1 then return end
  local task = { id = id, key = key, seq = seq_text(seq), queue = queue, priority = "0" }
  for at = first, last, 2 do task[args[at]] = args[at + 1] end
  if task.unique and not keeps_ids and is_answered(task, message) then return end
  call("HSET", key, "seq", task.seq, "queue", queue, "message", message, "created", timestamp)
  if last >= first then call("HSET", key, unpack(args, first, last)) end
  if task.waits then call("ZADD", dependents_key(task.waits, task.barrier), task.seq, id) end
  if task.group then call("ZADD", P .. "members:" .. task.group, task.position or 0, id) end
  if task.unique then
    call("HSET", key, "tied", 1) -- something may follow from its end
    task.tied = "1"
  end
  enter_phase(task, task.waits and WAITING or phase_for_eta(task.eta))
  if task.unique and not keeps_ids then
    ask(task) -- and gets it
  elseif task.unique and not task.waits then
    asking[#asking + 1] = task
  end
end

local function insert_tasks(n)
  local seq = call("INCRBY", P .. "seq", n) - n
  for each = 1, n do insert_task(seq + each) end
end

-- Read a group from the arguments and store it, if it is new; return its id. It is, as
-- `group_args` in arguments.py has it: id, outer, position, forgiving, options (or empty).
local function insert_group()
  local id, outer, position, forgiving, options = next_args(5)
  local key = P .. "group:" .. id
  if call("EXISTS", key) == 1 then return id end
  call("HSET", key, "outer", outer, "position", position, "forgiving", forgiving)
  if options ~= "" then call("HSET", key, "options", options) end
  if outer ~= "" then
    call("ZADD", P .. "inner:" .. outer, position, id)
    call("SADD", P .. "open:" .. outer, "g" .. id)
  end
  return id
end

-- Read a graph from the arguments and store it: the number of messages and these, the number of
-- groups and these.
local function insert_graph()
  insert_tasks(tonumber(next_arg()))
  for _ = 1, tonumber(next_arg()) do insert_group() end
end

-- Skip one message in the arguments.
local function skip_message()
  skip_args(3)
  skip_args(tonumber(next_arg()))
end


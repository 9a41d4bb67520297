-- Storing new tasks.

-- Return a place in the order of sending as 14 digits, so that members of indexes sort by it.
local function seq_text(seq)
  return string.format("%014.0f", seq)
end

-- Read `n` messages from the arguments and store those whose ids are new. Each is, as
-- `message_args` in arguments.py has it: id, queue, message, the number of further fields and
-- values, and these.
local function insert_tasks(n)
  local seq = call("INCRBY", P .. "seq", n) - n
  for each = 1, n do
    local id, queue, message, size = next_args(4)
    local first, last = skip_args(tonumber(size))
    local key = P .. "task:" .. id
    if call("EXISTS", key) == 0 then
      local task = {
        id = id, key = key, seq = seq_text(seq + each), queue = queue, priority = "0",
      }
      call("HSET", key, "seq", task.seq, "queue", queue, "message", message, "created", timestamp)
      if last >= first then
        call("HSET", key, unpack(ARGV, first, last))
        for at = first, last, 2 do task[ARGV[at]] = ARGV[at + 1] end
      end
      if task.waits then
        local waiters = task.barrier and "barrier:" or "waiters:"
        call("ZADD", P .. waiters .. task.waits, task.seq, id)
      end
      if task.group then call("ZADD", P .. "members:" .. task.group, task.position or 0, id) end
      enter_phase(task, task.waits and WAITING or phase_for_eta(task.eta))
    end
  end
end

-- Read `n` groups from the arguments and store those that are new. Each is, as `group_args` in
-- arguments.py has it: id, outer, position, forgiving.
local function insert_groups(n)
  for _ = 1, n do
    local id, outer, position, forgiving = next_args(4)
    local key = P .. "group:" .. id
    if call("EXISTS", key) == 0 then
      call("HSET", key, "outer", outer, "position", position, "forgiving", forgiving)
      if outer ~= "" then
        call("ZADD", P .. "inner:" .. outer, position, id)
        call("SADD", P .. "open:" .. outer, "g" .. id)
      end
    end
  end
end

-- Read a graph from the arguments and store it: the number of messages and these, the number of
-- groups and these.
local function insert_graph()
  insert_tasks(tonumber(next_arg()))
  insert_groups(tonumber(next_arg()))
end

-- Skip one message in the arguments.
local function skip_message()
  skip_args(3)
  skip_args(tonumber(next_arg()))
end


-- New tasks.

local function padded(seq)
  return string.format("%014.0f", seq)
end

-- Read `n` messages from the arguments and store those whose ids are new. Each is: id, queue,
-- message, the number of further fields and values, and these.
local function insert(n)
  local seq = call("INCRBY", P .. "seq", n) - n
  for each = 1, n do
    local id, queue, message, more = take(), take(), take(), tonumber(take())
    local key = P .. "task:" .. id
    local first = position + 1
    position = position + more
    if call("EXISTS", key) == 0 then
      local t = { id = id, key = key, seq = padded(seq + each), queue = queue, priority = "0" }
      call("HSET", key, "seq", t.seq, "queue", queue, "message", message, "created", clock)
      if more > 0 then
        call("HSET", key, unpack(ARGV, first, position))
        for at = first, position, 2 do t[ARGV[at]] = ARGV[at + 1] end
      end
      if t.waits then
        local waiters = t.barrier and "barrier:" or "waiters:"
        call("ZADD", P .. waiters .. t.waits, t.seq, id)
      end
      if t.group then call("ZADD", P .. "members:" .. t.group, t.position or 0, id) end
      enter(t, t.waits and WAITING or ready_phase(t.eta))
    end
  end
end

local function insert_groups(n)
  for _ = 1, n do
    local id, outer, place, forgiving = take(), take(), take(), take()
    local key = P .. "group:" .. id
    if call("EXISTS", key) == 0 then
      call("HSET", key, "outer", outer, "position", place, "forgiving", forgiving)
      if outer ~= "" then
        call("ZADD", P .. "inner:" .. outer, place, id)
        call("SADD", P .. "open:" .. outer, "g" .. id)
      end
    end
  end
end

local function insert_graph()
  insert(tonumber(take()))
  insert_groups(tonumber(take()))
end

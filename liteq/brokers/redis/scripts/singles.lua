-- Storing tasks that are in no workflow. They are what is sent most, so this is written to be
-- short; it does what `insert_task` in sending.lua does.

local additions_to -- by the key of an index that is one: scores and members still to be added

local function begin_singles()
  additions_to = {}
end

-- Add a member to an index: the first one at once, as that fails if another program has written
-- there; those that follow by one command, see `end_singles`.
local function add_to_index(key, score, member)
  local additions = additions_to[key]
  if not additions then
    call("ZADD", key, score, member)
    additions_to[key] = {}
  else
    additions[#additions + 1] = score
    additions[#additions + 1] = member
  end
end

-- Call it after the last `insert_single`.
local function end_singles()
  for key, additions in pairs(additions_to) do call_in_chunks("ZADD", key, additions) end
end

-- Read a message from the arguments and store it at the place `seq`, if its id is new; return how
-- many were stored: 1 or 0. It is as for `insert_task` in sending.lua.
local function insert_single(seq)
  local id, queue, message, size = next_args(4)
  local first, last = skip_args(tonumber(size))
  local key = P .. "task:" .. id
  if call("EXISTS", key) == 1 then return 0 end
  local place = seq_text(seq)
  local phase, score, index, eta = READY, 0, P .. "ready:" .. queue, nil
  for at = first, last, 2 do
    local field, value = args[at], args[at + 1]
    if field == "priority" then
      score = -tonumber(value)
    elseif field == "eta" and tonumber(value) > now then
      phase, eta = SCHEDULED, value
    end
  end
  if eta then score, index = eta, P .. "scheduled" end
  add_to_index(index, score, place .. id) -- first: if it fails, nothing is stored of the task
  call("HSET", key, "phase", phase, "seq", place, "queue", queue, "message", message,
    "created", timestamp, unpack(args, first, last))
  change_count(queue, phase, 1)
  to_notify.work = true
  return 1
end

-- uses head, singles, tasks, sending, walk, events, output, moving
--
-- Read the next part of a bulk that was sent, and store what is in it.
--
-- A part is a list of texts in MessagePack: what kind of things are in it, and of each of these the
-- number of its arguments, and those that would be given for it (`_parts` in bulks.py).
--
-- What can run is in the last parts, behind all that waits for it. Groups come first, and are kept
-- open until all their members are there. What has arrived from another store is remembered once
-- all of it is stored: if something could not be, nothing has arrived, and it stays there.
--
-- KEYS     the prefix
-- ARGV     now, bulk
-- Returns  how many parts are left, and why something of the bulk could not be stored (or nil)

local bulk = next_arg()
local key = P .. "bulk:" .. bulk
local holder = "b" .. bulk -- of its groups

local read, fields = try(call, "HMGET", key, "seq", "next", "parts", "failed")
local seq, number, parts, failed = unpack(read and fields or {})
seq, number, parts =
  tonumber(number_in(seq)), tonumber(number_in(number)), tonumber(number_in(parts))
local part = seq and number and parts and call("HGET", key, number)

-- Why something could not be stored is kept for a minute, for a sender that was slower than a
-- worker, or to which no reply came.
local function keep_failure()
  call("HSET", key, "failed", failed)
  if call("HEXISTS", key, "seq") == 0 then call("EXPIRE", key, 60) end
end

local function end_bulk()
  call("LREM", P .. "bulks", 1, bulk)
  call("DEL", key)
  if failed then keep_failure() end
end

if not part then
  end_bulk() -- it is over, or what is stored of it cannot be used
  return { 0, failed or false }
end

-- By kind: what reads and stores one thing.
local STORE = {
  singles = function() insert_single(seq + tonumber(next_arg())) end,
  groups = function() keep_open(insert_group(), holder) end,
  moved_groups = function() keep_open(unpack_group(), holder) end,
  tasks = function() insert_task(seq + tonumber(next_arg())) end,
  moved_tasks = function() unpack_task(seq + tonumber(next_arg())) end,
  arrivals = function() if not failed then remember_arrival(next_arg()) end end,
  complete_groups = function() let_close(next_arg(), holder) end,
}

-- Run `work`; note its error, which the sender of the bulk gets, and go on.
local function note_failure(work)
  local ok, why = pcall(work)
  if not ok then failed = failed or error_text(why) end
end

local function store_all()
  for _, value in ipairs(cmsgpack.unpack(part)) do args[#args + 1] = value end
  local store_one = STORE[next_arg()]
  while more_args() do
    local size = tonumber(next_arg())
    local last = last_arg + size
    note_failure(store_one)
    last_arg = last
  end
end

-- Taken away before it is read, so that what fails is not tried for ever.
if number < parts then
  call("HDEL", key, number)
  call("HSET", key, "next", number + 1, "touched", timestamp)
else
  end_bulk()
end
note_failure(store_all)
end_singles()
propagate_ends()
if failed then keep_failure() end
return end_script({ parts - number, failed or false })

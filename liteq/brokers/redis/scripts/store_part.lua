-- uses head, singles, tasks, sending, walk, moving
--
-- Read the next part of a bulk that was sent, and store what is in it.
--
-- A part is a list of texts in MessagePack: what kind of things are in it, and the arguments that
-- would be given for each of these (`_parts` in bulks.py).
--
-- What can run is in the last parts, behind all that waits for it. Groups come first, and are kept
-- open until all their members are there.
--
-- KEYS     the prefix
-- ARGV     now, bulk
-- Returns  how many parts are left

local bulk = next_arg()
local key = P .. "bulk:" .. bulk
local seq, number, parts = unpack(call("HMGET", key, "seq", "next", "parts"))
if not seq then return 0 end
seq, number, parts = tonumber(seq), tonumber(number), tonumber(parts)

local holder = "b" .. bulk -- of its groups

-- By kind: what reads and stores one thing.
local STORE = {
  singles = function() insert_single(seq + tonumber(next_arg())) end,
  groups = function() keep_open(insert_group(), holder) end,
  moved_groups = function() keep_open(unpack_group(), holder) end,
  tasks = function() insert_task(seq + tonumber(next_arg())) end,
  moved_tasks = function() unpack_task(seq + tonumber(next_arg())) end,
  complete_groups = function() let_close(next_arg(), holder) end,
}

-- Taken away before it is read, so that what fails is not tried for ever.
local part = call("HGET", key, number)
if number < parts then
  call("HDEL", key, number)
  call("HSET", key, "next", number + 1, "touched", timestamp)
else
  call("DEL", key)
  call("LREM", P .. "bulks", 1, bulk)
end
for _, value in ipairs(cmsgpack.unpack(part)) do ARGV[#ARGV + 1] = value end
local store_one = STORE[next_arg()]
while more_args() do store_one() end
propagate_ends()
return end_script(parts - number)

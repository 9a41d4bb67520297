-- The head of every script: the keys of a store, and functions that all scripts use.
--
-- KEYS[1] is `{liteq}`, or `{liteq:<name>}`. All keys begin with it, so that in a cluster they
-- share a slot, and every script is one transaction. KEYS[2] is there if this is sent a second
-- time, because the connection broke before a reply came: it may have been run already. ARGV[1] is
-- the time, in epoch seconds: all clients go by the server's, see clock.py. Leases, on which the
-- running of tasks depends, go by the server's own TIME alone.
--
--   task:<id>         hash    a task; its fields are below
--   attempts:<id>     list    how earlier starts ended, five values each, see `add_attempt`
--   steps:<id>        hash    its durable steps, see events.lua: of each `<name>\n<field>` for the
--                             fields kind, at, until, value, serializer, failed
--   seq               number  the last place in the order of sending that was given to a task
--   token             number  the last token of a claim, or version of an entry
--   counts            hash    how many tasks there are, by `<phase>:<queue>`
--
-- Every task is in the one index of its phase, as the member `<seq><id>`, so that tasks of equal
-- score are in the order of sending:
--
--   waiting           zset    WAITING, for other tasks
--   scheduled         zset    SCHEDULED, by eta
--   ready:<queue>     zset    READY, by -priority
--   running:<worker>  zset    RUNNING
--   ended:<phase>     zset    SUCCEEDED to SKIPPED, by when it may be deleted
--
-- The phases are those of liteq.states: scripts/__init__.py defines their names before this file.
--
--   arrived           hash    what `liteq move` has brought, and the other store may still have:
--                             `<id>\n<when it was sent>`, of a group `<id>\n`
--
-- Of workflows, see walk.lua:
--
--   waiters:<id>      zset    tasks that wait for a task, by seq
--   barrier:<group>   zset    tasks that wait for a group
--   group:<group>     hash    outer, position, forgiving, options, closed, blame,
--                             released
--   members:<group>   zset    its tasks, by position
--   inner:<group>     zset    the groups in it, by position
--   open:<group>      set     its members that have not ended: `t<id>` and `g<group>`; and
--                             `b<bulk>` while that bulk may bring more members
--   failed:<group>    zset    its members that failed, in the order of sending
--   skipped:<id>      set     tasks that were skipped because of this one
--   blamed:<id>       set     groups that failed because of this one
--
-- Of events:
--
--   event:<key>       hash    id (of the call), value, serializer, at, keep (until when; absent:
--                             for ever)
--   events            zset    their keys, by when they may be deleted
--   awaiting:<key>    set     tasks that wait for one, or did
--
-- Of workers:
--
--   worker:<n>        hash    name, owner, boot, pid, host, started, beat, stopped, info,
--                             struck (its lease has ended), handed (its last claim)
--   workers           zset    all of them, by when they stopped (inf: they have not)
--   leases            zset    those that are alive, by when their lease ends (server's time)
--   worker_seq        number  the last worker's number
--   beat              number  when any worker last sent a heartbeat (server's time)
--   condemned:<n>     set     tasks that this worker is to terminate
--   lost:<n>          list    claims that were taken from it: id, token, ...
--
-- Of orders to workers; both go by themselves, a minute after the last order has expired:
--
--   orders:<n>        hash    those that worker <n> has not answered, by call: see orders.py
--   answers:<call>    hash    what was answered, by worker
--
-- Of statistics, see count.lua:
--
--   stat:<s>:<start>  hash    how tasks ended in a period of s seconds; it expires by itself
--   counted:<call>    text    that a call has been counted, for ten minutes
--
-- Of bulks, which are too large to be stored by one script, see store_part.lua:
--
--   bulk:<id>         hash    its parts by number, unread; once it is sent also: seq (the place
--                             before its first task), first (the id of its first message, for a
--                             workflow), next (the next part to be stored), parts (how many there
--                             were), touched (when a part was stored last), failed (why something
--                             of it could not be stored)
--   bulks             list    the bulks that were sent and of which parts are left, oldest first
--
-- Of periodic tasks:
--
--   schedules         zset    their names, by when they are due (inf: never)
--   schedule:<name>   hash    entry and message (as sent, never read), overlap, version, moment,
--                             due, planned, runs, last, last_id
--
-- The fields of a task; one that is absent has its default. They are written by scripts, or
-- as arguments.py and moving.py have them, and read by replies.py. No script reads `message`, see
-- packing.py, or `result`.
--
--   message, queue, priority, eta
--   seq, phase, token, worker, lost, attempts
--   created, started, finished, keep (until when)
--   result, serializer, traceback, reported
--   revoked (for how many seconds to keep it), terminate
--   event (the key of the one that it waits for)
--   tied, waits, barrier, on_failure, takes, group, position, delay, woken_by

local call -- redis.call, which a library does not have while it is loaded
local P -- what every key begins with
local sent_again
local timestamp -- the text of `now`, to be stored without a loss of digits
local now
local args, last_arg -- ARGV, and the index of the last one that was read
-- Counts are written, and channels are notified, once at the end of a script.
local count_changes, to_notify -- by `<phase>:<queue>`; by channel: work, results

local function begin_head(keys, argv)
  call = redis.call
  P, sent_again = keys[1] .. ":", keys[2] ~= nil
  args, last_arg = argv, 1
  timestamp, now = argv[1], tonumber(argv[1])
  count_changes, to_notify = {}, {}
end

-- Arguments are read one after the other.

local function more_args()
  return last_arg < #args
end

local function next_arg()
  last_arg = last_arg + 1
  return args[last_arg]
end

local function next_args(n)
  last_arg = last_arg + n
  return unpack(args, last_arg - n + 1, last_arg)
end

-- Skip `n` arguments; return the indexes of the first and the last of them.
local function skip_args(n)
  last_arg = last_arg + n
  return last_arg - n + 1, last_arg
end

-- Return a place in the order of sending as 14 digits, so that members of indexes sort by it.
local function seq_text(seq)
  return string.format("%014.0f", seq)
end

-- Return the id in a member of an index, which is `<seq><id>`.
local function id_of(member)
  return member:sub(15) -- behind the digits of `seq_text`
end

-- Run one command for many values, in chunks: `unpack` fails at some 8,000 values.
local function call_in_chunks(command, key, values)
  for first = 1, #values, 4000 do
    call(command, key, unpack(values, first, math.min(first + 3999, #values)))
  end
end

-- Any program that can write to the server may have written what a script reads. A text that is
-- no number is taken for an absent field.
local function number_in(text)
  return text and text:match("^%-?%d[%d%.eE%+%-]*$") and tonumber(text) and text or nil
end

-- Return the text of what `pcall` has caught: servers before 7 raise texts, later ones tables.
local function error_text(value)
  return type(value) == "table" and value.err or tostring(value)
end

local SERVER_ERRORS = { "OOM", "READONLY", "MISCONF", "NOREPLICAS", "NOPERM", "BUSY", "killed" }

-- Run `work` with what is stored of one task, and return whether that could be used, and what
-- `work` returned. Errors that are not about the data, as when the server is full, are raised.
local function try(work, ...)
  local ok, value, more = pcall(work, ...)
  if ok then return true, value, more end
  local text = error_text(value)
  for _, word in ipairs(SERVER_ERRORS) do
    if text:match(word) then error(value) end
  end
  return false, text
end

local function change_count(queue, phase, n)
  local field = phase .. ":" .. queue
  count_changes[field] = (count_changes[field] or 0) + n
end

local function end_script(reply)
  for field, n in pairs(count_changes) do
    if n ~= 0 then
      local counted, left = try(call, "HINCRBY", P .. "counts", field, n)
      -- If the whole hash was written over, tools say so, and tasks go on without counts.
      if not counted or left == 0 then try(call, "HDEL", P .. "counts", field) end
    end
  end
  for channel in pairs(to_notify) do
    call("PUBLISH", P .. "news:" .. channel, "")
  end
  return reply
end

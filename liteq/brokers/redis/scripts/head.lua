-- The head of every script: where things are kept.
--
-- KEYS[1] is `{liteq}`, or `{liteq:<name>}`. All keys begin with it, so that in a cluster they
-- share a slot, and every script is one transaction. ARGV[1] is the time: all clients go by the
-- server's, see serverclock.py. Leases, on which the running of tasks depends, are by the server's
-- own TIME alone.
--
--   task:<id>         hash    a task; its fields are below
--   attempts:<id>     list    how earlier starts ended: started, ended, worker, outcome, error, ...
--   seq               number  the last place that was given to a task
--   token             number  the last token of a claim, or version of an entry
--   counts            hash    how many tasks there are, by `<phase>:<queue>`
--
-- Every task is in the one index of its phase, as the member `<seq><id>`, so that equal scores
-- are in the order of sending:
--
--   waiting           zset    WAITING, for other tasks
--   scheduled         zset    SCHEDULED, by eta
--   ready:<queue>     zset    READY, by -priority
--   running:<worker>  zset    RUNNING
--   ended:<phase>     zset    SUCCEEDED to SKIPPED, by when it may be forgotten
--
-- These names of phases are those of liteq.states, which scripts/__init__.py puts before all.
--
-- Of workflows, see walk.lua:
--
--   waiters:<id>      zset    tasks that wait for a task, by seq
--   barrier:<group>   zset    tasks that wait for a group
--   group:<group>     hash    outer, position, forgiving, closed, blame, released
--   members:<group>   zset    its tasks, by position
--   inner:<group>     zset    the groups in it, by position
--   open:<group>      set     its members that have not ended: `t<id>` and `g<group>`
--   failed:<group>    zset    its members that failed, in the order of sending
--   skipped:<id>      set     tasks that were skipped because of this one
--   blamed:<id>       set     groups that failed because of this one
--
-- Of workers:
--
--   worker:<n>        hash    name, owner, boot, pid, host, started, beat, stopped, struck, info,
--                             handed (what its last claim was given)
--   workers           zset    all of them, by when they stopped (inf: they have not)
--   leases            zset    those that are there, by when their lease ends (server's time)
--   worker_seq        number  the last worker's number
--   beat              number  when any worker was last heard of (server's time)
--   condemned:<n>     set     tasks that this worker is to end
--   lost:<n>          list    claims that were taken from it: id, token, ...
--
-- Of periodic tasks:
--
--   schedules         zset    their names, by when they are due (inf: never)
--   schedule:<name>   hash    entry and message (as sent, never read), overlap, version, moment, due,
--                             planned, runs, last, last_id
--
-- The fields of a task; one that is absent has its default. What users send is never read:
--
--   message           what it was sent with, see rows.py       queue, priority, eta, once
--   seq, phase, token, worker, lost, attempts                   created, started, finished, keep
--   result, serializer, traceback, reported                     revoked (seconds to keep it), terminate
--   tied, waits, barrier, on_failure, takes, group, position, delay, woken_by

local P = KEYS[1] .. ":"
local call = redis.call
local clock = ARGV[1]
local now = tonumber(clock)

local position = 1
local function take()
  position = position + 1
  return ARGV[position]
end

local function skip(n)
  position = position + n
end

-- One command for many values: as many as Lua passes on at a time.
local function at_once(command, key, values)
  for first = 1, #values, 4000 do
    call(command, key, unpack(values, first, math.min(first + 3999, #values)))
  end
end

-- News, told once when a script ends.

local tallies, news = {}, {}

local function tally(queue, phase, n)
  local field = phase .. ":" .. queue
  tallies[field] = (tallies[field] or 0) + n
end

local function done(reply)
  for field, n in pairs(tallies) do
    if n ~= 0 and call("HINCRBY", P .. "counts", field, n) == 0 then
      call("HDEL", P .. "counts", field)
    end
  end
  for channel in pairs(news) do
    call("PUBLISH", P .. "news:" .. channel, "")
  end
  return reply
end

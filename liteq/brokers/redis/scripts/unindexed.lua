-- uses head, tasks, unique, walk
--
-- Look through some tasks for those that are in no index, so that nobody would ever find them.
--
-- KEYS     the prefix
-- ARGV     now; where to go on (0: at the beginning); 1 to put them back
-- Returns  where to go on (0: all were seen), and how many were in no index, had a phase that is
--          none, are in a phase that only another version has, and were put back or set aside
--
-- A task without a readable phase may have been anything, also finished: it is set aside as dead,
-- and can be tried again. So is one that a worker had which is not there any more.

local cursor, mend = next_arg(), next_arg() == "1"
local missing, garbled, foreign, mended = 0, 0, 0, 0

local function end_as_dead(id, why)
  local key = P .. "task:" .. id
  call("HSET", key, "phase", DEAD, "finished", timestamp, "traceback", why)
  finish(load_task(id), DEAD, number_text(now + KEEP_DEAD))
  mended = mended + 1
end

local function put_back(task)
  if task.phase == RUNNING and call("EXISTS", P .. "worker:" .. task.worker) == 0 then
    change_count(task.queue, RUNNING, -1)
    return end_as_dead(task.id,
      "the worker that had it is not there any more, and did not say more")
  end
  local index, score = index_of(task)
  if try(call, "ZADD", index, score, task.seq .. task.id) then
    mended = mended + 1
    to_notify.work = true
  end
end

local function leave_indexes(id)
  local seq, queue = unpack(call("HMGET", P .. "task:" .. id, "seq", "queue"))
  local indexes = {
    [WAITING] = "waiting", [SCHEDULED] = "scheduled", [READY] = "ready:" .. (queue or ""),
  }
  for phase, index in pairs(indexes) do
    local read, removed = try(call, "ZREM", P .. index, (seq or "") .. id)
    if read and removed == 1 then change_count(queue or "", phase, -1) end
  end
end

local function look_at(id)
  local read, phase = try(call, "HGET", P .. "task:" .. id, "phase")
  if not read then return end -- it is no hash: another finding
  local number = tonumber(number_in(phase))
  if not number then
    garbled = garbled + 1
    if not mend then return end
    leave_indexes(id)
    return end_as_dead(id, "its phase was none: " .. tostring(phase))
  end
  if number < WAITING or number > SKIPPED then
    foreign = foreign + 1
    return
  end
  local task = load_task(id)
  local index = index_of(task)
  local readable, score = try(call, "ZSCORE", index, task.seq .. id)
  if readable and score then return end
  missing = missing + 1
  if mend then put_back(task) end
end

local first = #P + #"task:" + 1
local pattern = (P .. "task:"):gsub("[%*%?%[%]%\\]", "\\%0") .. "*"
local page = call("SCAN", cursor, "MATCH", pattern, "COUNT", 500)
for _, key in ipairs(page[2]) do look_at(key:sub(first)) end
propagate_ends()
return end_script({ page[1], missing, garbled, foreign, mended })

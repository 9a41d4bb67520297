-- The walk through a workflow when tasks end: liteq/brokers/walk.py once more, in Lua.
--
-- The data must not leave the server within a transaction, so there are two. They have the same
-- names for the same things, and the contract holds both to the same behaviour. What is an object
-- with questions there (`Dependents`) are functions on keys here.
--
-- Whether a group is complete is asked of the set of its open members: a member that ends twice
-- is taken out of it once.

local function set_waits(task, waits, barrier)
  if task.waits then call("ZREM", dependents_key(task.waits, task.barrier), task.id) end
  task.waits, task.barrier = waits, barrier
  if waits then call("ZADD", dependents_key(waits, barrier), task.seq, task.id) end
end

-- Return the tasks that wait for a task, or with `barrier` for a group.
local function dependents(id, barrier)
  local found = {}
  for _, dependent in ipairs(call("ZRANGE", dependents_key(id, barrier), 0, -1)) do
    local task = load_task(dependent)
    -- One that waits for an event by now was woken before.
    if task and task.phase == WAITING and call("HEXISTS", task.key, "event") == 0 then
      found[#found + 1] = task
    end
  end
  return found
end

-- Return whether a task that waits, or waited, for this one has not ended.
local function has_unfinished_dependents(id, barrier)
  for _, dependent in ipairs(call("ZRANGE", dependents_key(id, barrier), 0, -1)) do
    local phase = call("HGET", P .. "task:" .. dependent, "phase")
    if phase and tonumber(phase) < SUCCEEDED then return true end
  end
  return false
end

-- What is kept, and until when.

local function mark_members_free(group)
  if call("EXISTS", P .. "group:" .. group) == 1 then
    call("HSET", P .. "group:" .. group, "released", 1)
  end
  for _, inner in ipairs(call("ZRANGE", P .. "inner:" .. group, 0, -1)) do
    mark_members_free(inner)
  end
end

-- Let the members of a group be deleted, unless a task still needs their results.
local function free_members(group)
  if not has_unfinished_dependents(group, true) then mark_members_free(group) end
end

-- Return whether the result of a task is still to be handed on.
local function is_needed(task)
  if not task.tied then return false end
  if task.group and call("EXISTS", P .. "group:" .. task.group) == 1
    and not call("HGET", P .. "group:" .. task.group, "released") then
    return true
  end
  return has_unfinished_dependents(task.id, false)
end

local function delete_group_if_empty(group)
  local key = P .. "group:" .. group
  if not call("HGET", key, "released") then return end
  if call("EXISTS", P .. "members:" .. group, P .. "inner:" .. group) > 0 then return end
  local outer = call("HGET", key, "outer")
  call("DEL", key, P .. "open:" .. group, P .. "failed:" .. group)
  if outer ~= "" then
    call("ZREM", P .. "inner:" .. outer, group)
    delete_group_if_empty(outer)
  end
end

local function delete_task(task)
  leave_phase(task)
  local event = call("HGET", task.key, "event")
  if event then call("SREM", P .. "awaiting:" .. event, task.id) end
  call("DEL", task.key, P .. "attempts:" .. task.id, P .. "steps:" .. task.id,
    P .. "output:" .. task.id)
  if task.tied or task.waits then
    call("DEL", P .. "skipped:" .. task.id, P .. "blamed:" .. task.id)
    set_waits(task, nil)
    if task.woken_by then call("SREM", P .. "skipped:" .. task.woken_by, task.id) end
  end
  if task.group then
    call("ZREM", P .. "members:" .. task.group, task.id)
    call("SREM", P .. "open:" .. task.group, "t" .. task.id)
    call("ZREM", P .. "failed:" .. task.group, "t" .. task.id)
    delete_group_if_empty(task.group)
  end
end

-- The walk.
--
-- An end of a task or a group has: id, barrier (it is a group), failed, phase, keep,
--   cause            the task that failed, or the last one to end
--   by_itself        it failed itself: it was not skipped
--   through_group    it was skipped because a group failed
--   inner            a group in another one, whose end decides how long its members are kept

local ends, propagated -- what has ended, and how many of these have been propagated
local groups, last_ended -- groups of which a member has ended, and that member

local function begin_walk()
  ends, propagated = {}, 0
  groups, last_ended = {}, {}
end

local function add_group(group, member)
  if not last_ended[group] then groups[#groups + 1] = group end
  last_ended[group] = member
end

local function begin(task)
  -- A chain ends with a task that raised Ignore, but that task has not failed.
  local ignored = task.phase == SUCCEEDED and call("HEXISTS", task.key, "reported") == 1
  local phase = ignored and CANCELLED or task.phase
  ends[#ends + 1] = {
    id = task.id, failed = phase ~= SUCCEEDED, phase = phase, cause = task.id, keep = task.keep,
    by_itself = not ignored,
  }
  if task.group then add_group(task.group, { id = task.id, keep = task.keep }) end
  if task.barrier and task.waits then free_members(task.waits) end
end

local function wake(task, task_end)
  leave_phase(task)
  call("HSET", task.key, "woken_by", task_end.cause)
  local delay = number_in(call("HGET", task.key, "delay"))
  if delay then
    task.eta = number_text(now + tonumber(delay))
    call("HSET", task.key, "eta", task.eta)
  end
  enter_phase(task, phase_for_eta(task.eta))
end

local function skip(task, task_end)
  -- What waits for a revoked task is revoked with it; a chord's body has failed.
  local cancelled = task_end.phase == CANCELLED and not task_end.barrier
  local phase = cancelled and CANCELLED or SKIPPED
  leave_phase(task)
  call("HSET", task.key, "woken_by", task_end.cause, "finished", timestamp)
  if phase == SKIPPED then call("SADD", P .. "skipped:" .. task_end.cause, task.id) end
  local tied = task.tied
  task.tied = nil -- its end is added below, and not by `begin`: it did not fail by itself
  finish(task, phase, task_end.keep)
  task.tied = tied
  ends[#ends + 1] = {
    id = task.id, failed = task_end.failed, phase = phase, cause = task_end.cause,
    keep = task_end.keep, through_group = task_end.barrier or task_end.through_group,
  }
  if task.group then add_group(task.group, { id = task_end.cause, keep = task_end.keep }) end
end

-- Delete a task that waited for a failure that did not come, and the tasks that wait for it.
local function drop(task)
  local doomed, n = { task }, 1
  while n <= #doomed do -- a loop, as thousands may wait one for the other
    for _, each in ipairs(dependents(doomed[n].id, false)) do doomed[#doomed + 1] = each end
    n = n + 1
  end
  for last = #doomed, 1, -1 do delete_task(doomed[last]) end
end

-- Wake, skip or drop the tasks that wait for one end.
local function propagate(task_end)
  for _, dependent in ipairs(dependents(task_end.id, task_end.barrier)) do
    local wanted
    if dependent.on_failure > 0 then
      wanted = task_end.failed
        and (task_end.by_itself or (task_end.through_group and dependent.on_failure > 1))
    else
      wanted = not task_end.failed
    end
    if wanted then
      wake(dependent, task_end)
    elseif dependent.on_failure > 0 then
      drop(dependent)
    else
      skip(dependent, task_end)
    end
  end
  -- How long the members of an inner group are kept is decided by the end of the outer one.
  if task_end.barrier and task_end.failed and not task_end.inner then free_members(task_end.id) end
end

-- Return the task by which a group failed, or nil.
local function group_blame(group)
  local first = call("ZRANGE", P .. "failed:" .. group, 0, 0)[1]
  if not first then return nil end
  local kind, id = first:sub(1, 1), first:sub(2)
  if kind == "g" then return call("HGET", P .. "group:" .. id, "blame") end
  local phase, woken_by = unpack(call("HMGET", P .. "task:" .. id, "phase", "woken_by"))
  return tonumber(phase) == SKIPPED and woken_by or id
end

-- End a group if its last member has ended.
local function close_if_complete(group, last)
  if call("SCARD", P .. "open:" .. group) > 0 then return end
  local key = P .. "group:" .. group
  local outer, forgiving, closed, position =
    unpack(call("HMGET", key, "outer", "forgiving", "closed", "position"))
  if not outer or closed then return end
  local blame = group_blame(group)
  call("HSET", key, "closed", timestamp)
  if blame then
    call("HSET", key, "blame", blame)
    call("SADD", P .. "blamed:" .. blame, group)
  end
  local failed = blame and forgiving ~= "1"
  ends[#ends + 1] = {
    id = group, barrier = true, failed = failed, phase = failed and SKIPPED or SUCCEEDED,
    cause = failed and blame or last.id, keep = last.keep, by_itself = true, inner = outer ~= "",
  }
  if outer == "" then return end
  call("SREM", P .. "open:" .. outer, "g" .. group)
  if failed then
    -- Behind all tasks, whose scores are their places in the order of sending.
    call("ZADD", P .. "failed:" .. outer, 1e15 + tonumber(position), "g" .. group)
  end
  add_group(outer, last)
end

-- Return the last member of a group, or of the last group in it; nil if there is none.
local function last_member(group)
  local id = call("ZREVRANGE", P .. "members:" .. group, 0, 0)[1]
  if id then return load_task(id) end
  local inner = call("ZREVRANGE", P .. "inner:" .. group, 0, 0)[1]
  return inner and last_member(inner)
end

-- Keep a group open although no member is, until `let_close` is called with the same holder.
local function keep_open(group, holder)
  call("SADD", P .. "open:" .. group, holder)
end

local function let_close(group, holder)
  local open = P .. "open:" .. group
  if call("SREM", open, holder) == 0 or call("EXISTS", open) == 1 then return end
  local last = last_member(group)
  if last then add_group(group, last) end
end

-- Wake, skip or drop what waited for the tasks that have just ended, and so on.
local function propagate_ends()
  for _, task in ipairs(ended) do try(begin, task) end
  ended = {}
  while propagated < #ends or #groups > 0 do
    if propagated < #ends then
      propagated = propagated + 1
      try(propagate, ends[propagated])
    else
      local group = table.remove(groups)
      local last = last_ended[group]
      last_ended[group] = nil
      try(close_if_complete, group, last)
    end
  end
end

-- Make tasks wait again that were skipped because of a task that is now revived.
local function undo_skips(id)
  for _, group in ipairs(call("SMEMBERS", P .. "blamed:" .. id)) do
    local key = P .. "group:" .. group
    local outer = call("HGET", key, "outer")
    if outer then
      call("HDEL", key, "closed", "blame", "released")
      if outer ~= "" then
        call("SADD", P .. "open:" .. outer, "g" .. group)
        call("ZREM", P .. "failed:" .. outer, "g" .. group)
      end
    end
  end
  for _, skipped in ipairs(call("SMEMBERS", P .. "skipped:" .. id)) do
    local task = load_task(skipped)
    if task and task.phase == SKIPPED then
      leave_phase(task)
      call("HDEL", task.key, "woken_by", "finished", "keep")
      task.keep = nil
      enter_phase(task, WAITING)
    end
  end
  call("DEL", P .. "blamed:" .. id, P .. "skipped:" .. id)
end

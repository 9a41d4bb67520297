-- Storing tasks and groups that come from another store.

local ATTEMPT_SIZE = 5
local former_workers -- number by name

local function begin_moving()
  former_workers = {}
end

-- Return the number of a worker of the other store, under which its name can be shown.
local function former_worker(name)
  if name == "" then return "" end
  if not former_workers[name] then
    local worker = call("INCR", P .. "worker_seq")
    call("HSET", P .. "worker:" .. worker, "name", name, "stopped", timestamp)
    call("ZADD", P .. "workers", timestamp, worker)
    former_workers[name] = worker
  end
  return former_workers[name]
end

local function link_to_workflow(task)
  if task.waits then set_waits(task, task.waits, task.barrier) end
  if task.group then
    local position = call("HGET", task.key, "position") or 0
    call("ZADD", P .. "members:" .. task.group, position, task.id)
  end
  if task.phase == SKIPPED and task.woken_by then
    call("SADD", P .. "skipped:" .. task.woken_by, task.id)
  end
end

-- Read a task from the arguments and store it at the place `seq`, if it is new. It is, as
-- `transfer_args` in moving.py has it: id, phase, the number of fields and values, and these, the
-- name of its worker (or empty), the number of earlier attempts, and of each: started, ended,
-- worker's name, outcome, error; its steps, see events.lua; the event that it waits for (or empty);
-- the number of outputs, and these, see output.lua.
local function unpack_task(seq)
  local id, phase, size = next_args(3)
  local first, last = skip_args(tonumber(size))
  local worker, attempts = next_arg(), tonumber(next_arg())
  local key = P .. "task:" .. id
  if call("EXISTS", key) == 1 then
    skip_args(ATTEMPT_SIZE * attempts)
    read_steps()
    next_arg()
    for _ = 1, tonumber(next_arg()) do read_output() end
    return
  end
  call("HSET", key, "phase", phase, "seq", seq_text(seq), unpack(args, first, last))
  if worker ~= "" then call("HSET", key, "worker", former_worker(worker)) end
  for _ = 1, attempts do
    local started, ended_at, its_worker, outcome, error = next_args(ATTEMPT_SIZE)
    call("RPUSH", P .. "attempts:" .. id, started, ended_at, former_worker(its_worker), outcome,
      error)
  end
  local steps, event = read_steps(), next_arg()
  if #steps > 0 then store_steps(id, steps) end
  for _ = 1, tonumber(next_arg()) do store_output(id, read_output()) end
  local task = load_task(id)
  link_to_workflow(task)
  task.tied = nil -- if it has ended, then what followed from that has been moved as well
  local has_come = event ~= "" and await_event(task, event)
  enter_phase(task, has_come and READY or task.phase)
end

-- Read an arrival from the arguments: id, and when it was sent (empty: it is a group). Remember it,
-- as all arrivals, for so many seconds.
local function remember_arrival(keep)
  call("HSET", P .. "arrived", table.concat({ next_args(2) }, "\n"), "")
  call("EXPIRE", P .. "arrived", keep)
end

-- Read a group from the arguments and store it, if it is new; return its id. It is, as
-- `moved_group_args` in moving.py has it: id, outer, position, forgiving, options (or empty),
-- closed (or empty), blame (or empty), released.
local function unpack_group()
  local id, outer, position, forgiving, options, closed, blame, released = next_args(8)
  local key = P .. "group:" .. id
  if call("EXISTS", key) == 1 then return id end
  call("HSET", key, "outer", outer, "position", position, "forgiving", forgiving)
  if options ~= "" then call("HSET", key, "options", options) end
  if closed ~= "" then call("HSET", key, "closed", closed) end
  if released == "1" then call("HSET", key, "released", 1) end
  if blame ~= "" then
    call("HSET", key, "blame", blame)
    call("SADD", P .. "blamed:" .. blame, id)
  end
  if outer == "" then return id end
  call("ZADD", P .. "inner:" .. outer, position, id)
  if closed == "" then call("SADD", P .. "open:" .. outer, "g" .. id) end
  if blame ~= "" and forgiving ~= "1" then
    call("ZADD", P .. "failed:" .. outer, 1e15 + tonumber(position), "g" .. id)
  end
  return id
end

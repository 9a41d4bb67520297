-- uses head, tasks, unique, sending, leases, entries
--
-- Take entries of periodic tasks one run on, and store the tasks that they send.
--
-- KEYS     the prefix
-- ARGV     now; for each firing: name, version, progress (6 values), and the number of messages
--          (0 or 1), the name of its task, and that message (`firing_args` in schedules.py)
-- Returns  for each: done; paused (what it would send is, and it is to pass that over); held (its
--          last task has not ended, or another one has its unique key); stale (the entry was
--          changed)

local function is_unfinished(id)
  local phase = id and call("HGET", P .. "task:" .. id, "phase")
  return phase and tonumber(phase) < SUCCEEDED
end

local function passes_over(task, queue)
  local pauses = call("HMGET", P .. "paused", "store:", "task:" .. task, "queue:" .. queue)
  for _, pause in ipairs(pauses) do
    if pause and pause:match("\nskip$") then return true end
  end
  return false
end

local function fire()
  local name, version = next_args(2)
  local progress, messages = read_progress(), tonumber(next_arg())
  local task = messages > 0 and next_arg()
  local stored_version, overlap, last_id =
    unpack(call("HMGET", P .. "schedule:" .. name, "version", "overlap", "last_id"))
  if stored_version ~= version then
    if messages > 0 then skip_message() end
    return "stale"
  end
  write_next_run(name, progress)
  to_notify.work = true
  if task and passes_over(task, args[last_arg + 2]) then
    skip_message()
    return "paused"
  end
  if messages > 0 and overlap == "0" and is_unfinished(last_id) then
    skip_message()
    return "held"
  end
  if messages > 0 then
    insert_tasks(messages)
    ask_all()
    if #answered > 0 then
      answered = {}
      return "held"
    end
  end
  write_last_run(name, progress)
  return "done"
end

keeps_ids = false
local fired = {}
while more_args() do fired[#fired + 1] = fire() end
return end_script(fired)

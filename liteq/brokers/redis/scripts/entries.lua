-- Entries of periodic tasks.

-- Read when an entry runs next and when it last ran, as `_progress_args` in schedules.py has it.
local function read_progress()
  local moment, due, planned, runs, last, last_id = next_args(6)
  return {
    moment = moment, due = due, planned = planned, runs = runs, last = last, last_id = last_id,
  }
end

local function write_next_run(name, progress)
  local version = string.format("%.0f", reserve_tokens(1) + 1)
  call("HSET", P .. "schedule:" .. name, "moment", progress.moment, "due", progress.due,
    "planned", progress.planned, "version", version)
  call("ZADD", P .. "schedules", progress.due ~= "" and progress.due or "+inf", name)
end

local function write_last_run(name, progress)
  call("HSET", P .. "schedule:" .. name, "runs", progress.runs, "last", progress.last,
    "last_id", progress.last_id)
end

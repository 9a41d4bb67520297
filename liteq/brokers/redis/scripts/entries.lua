-- Entries of periodic tasks, and their steps.

local function read_step()
  return {
    moment = take(), due = take(), planned = take(), runs = take(), last = take(), last_id = take(),
  }
end

local function write_step(name, step)
  local version = string.format("%.0f", tokens(1) + 1)
  call("HSET", P .. "schedule:" .. name, "moment", step.moment, "due", step.due, "planned",
    step.planned, "version", version)
  call("ZADD", P .. "schedules", step.due ~= "" and step.due or "+inf", name)
end

local function write_run(name, step)
  call("HSET", P .. "schedule:" .. name, "runs", step.runs, "last", step.last, "last_id",
    step.last_id)
end

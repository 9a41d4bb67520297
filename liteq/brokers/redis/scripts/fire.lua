-- uses head, tasks, sending, leases, entries
-- now, then for each firing: name, version, its step, and how many messages go with it (one or
-- none), and that. Answers for each what became of it: done, held or lost.

local function skip_message()
  skip(3)
  skip(tonumber(take()))
end

local function last_runs(id)
  local phase = id and call("HGET", P .. "task:" .. id, "phase")
  return phase and tonumber(phase) < SUCCEEDED
end

local function fire()
  local name, version, step, n = take(), take(), read_step(), tonumber(take())
  local v = call("HMGET", P .. "schedule:" .. name, "version", "overlap", "last_id")
  if v[1] ~= version then
    if n > 0 then skip_message() end
    return "lost"
  end
  write_step(name, step)
  news.work = true
  if n > 0 and v[2] == "0" and last_runs(v[3]) then
    skip_message()
    return "held"
  end
  write_run(name, step)
  if n > 0 then insert(1) end
  return "done"
end

local fired = {}
while position < #ARGV do fired[#fired + 1] = fire() end
return done(fired)

-- uses head, leases, entries
-- now, then for each entry: name, version, entry, message, overlap, and its step.
-- Answers the names of those that are refused.

local refused = {}
while position < #ARGV do
  local name, version, entry, message, overlap = take(), take(), take(), take(), take()
  local step = read_step()
  if (call("HGET", P .. "schedule:" .. name, "version") or "0") == version then
    call("HSET", P .. "schedule:" .. name, "entry", entry, "message", message, "overlap", overlap)
    write_step(name, step)
    write_run(name, step)
    news.work = true
  else
    refused[#refused + 1] = name
  end
end
return done(refused)

-- uses head, leases, entries
--
-- Store entries of periodic tasks whose version is the one that was read (0: there is none).
--
-- KEYS     the prefix
-- ARGV     now; for each entry: name, version, entry, message, overlap, progress (6 values)
--          (`entry_args` in schedules.py)
-- Returns  the names of the entries that were refused

local refused = {}
while more_args() do
  local name, version, entry, message, overlap = next_args(5)
  local progress = read_progress()
  local key = P .. "schedule:" .. name
  if (call("HGET", key, "version") or "0") == version then
    call("HSET", key, "entry", entry, "message", message, "overlap", overlap)
    write_next_run(name, progress)
    write_last_run(name, progress)
    to_notify.work = true
  else
    refused[#refused + 1] = name
  end
end
return end_script(refused)

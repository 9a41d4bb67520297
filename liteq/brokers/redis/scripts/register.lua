-- uses head, leases, workers
--
-- Store a new worker, and give it a lease.
--
-- KEYS     the prefix
-- ARGV     now, name, info, owner, boot, pid, host; what it knows, see workers.lua
-- Returns  the worker's number

-- Return the number of the last worker if it has this name and process; else nil.
local function last_worker(name, its_owner)
  local last = call("GET", P .. "worker_seq") or ""
  local last_name, owner = unpack(call("HMGET", P .. "worker:" .. last, "name", "owner"))
  if last_name == name and owner == its_owner then return tonumber(last) end
end

note_heartbeat()
local name, info = next_args(2)
local stored = sent_again and last_worker(name, args[last_arg + 1])
if stored then return end_script(stored) end
local worker = store_worker(call("INCR", P .. "worker_seq"), name, info)
store_knowledge(worker)
return end_script(worker)

-- uses head, leases, workers
--
-- Store a new worker, and give it a lease.
--
-- KEYS     the prefix
-- ARGV     now, name, info, owner, boot, pid, host
-- Returns  the worker's number

note_heartbeat()
local name, info = next_args(2)
return end_script(store_worker(call("INCR", P .. "worker_seq"), name, info))

-- uses head, leases, workers
-- now, name, info, owner, boot, pid, host. Answers the worker's number.

heard()
local worker = call("INCR", P .. "worker_seq")
return done(introduce(worker, take(), take()))

-- uses head, leases, claiming, passing
--
-- Hand ready tasks to a worker.
--
-- KEYS     the prefix
-- ARGV     now, worker, the last token that has reached it, limit, queues...
--          (`claim_args` in arguments.py)
-- Returns  the deliveries (`sort_out` in deliveries.py); behind them a 1 if more may be ready

local found = end_script(read_and_claim())
if #found == 0 and #overwritten > 0 then return redis.error_reply("WRONGTYPE of a queue") end
return found

-- uses head, leases, claiming
-- now, worker, seen, limit, queues...

return done(claim_as_asked())

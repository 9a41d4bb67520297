-- uses head, claiming
-- now, worker, seen, limit, queues...

return done(claim_as_asked())

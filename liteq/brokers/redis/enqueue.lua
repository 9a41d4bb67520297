-- uses head, sending
-- now; the number of messages, and these.

insert(tonumber(take()))
return done(1)
